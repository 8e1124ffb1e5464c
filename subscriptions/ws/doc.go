// Package ws is the WebSocket door: ThingsBoard's live API (contract thingsboard 11) on
// /api/ws and /api/ws/plugins/telemetry.
//
//	http ─ upgrade ─► session ─ commands ─► hub, engine
//	                     ▲                     │
//	 coder/websocket ────┘      conn ◄─ frames ┘
//
// A session reads and carries out commands on one goroutine. coder/websocket does the
// handshake, reading, control frames and the closing handshake. Data frames are written
// below it, straight to the hijacked connection, by whoever has one: the hub's goroutines.
//
// # Nobody waits for a slow reader
//
// A write never parks. What the socket does not take goes to an outbox, and a goroutine that
// lives until it is drained writes it. An outbox is bounded in bytes: beyond that the updates
// of a subscription are merged into one that holds the newest value of each key, and tells
// how many points it stands for in the member "coalesced". A reader that takes nothing for
// five seconds, or does not answer pings for thirty, is closed with 4500.
//
// # Going on
//
// A command that says "positions" gets frames that name the place in the log they stand at, and
// one that says "resume" goes on from there: the hub reads what was missed, and the session sends
// it unmerged, a page at a time, as fast as the client reads. A query with positions has an order in
// place of followers: ordered subscriptions, each of whose changes is one frame.
//
// # Events
//
// A stream of server-sent events is a session whose commands stand in its address and whose conn
// makes events of the frames it is given. Outbox, limits and rechecks are the same.
//
// # Queries
//
// An ENTITY_DATA query is a page of entities and what its parts ask of each. One answer is one
// generation: a follower of the hub for each entity and kind of key, whose first read is in
// the answer and which keeps what it is told until the answer was sent. The next answer ends
// the generation before it reads. One refresher for all sockets asks dynamic queries again, a few
// at once and the tenants in turn.
//
// # One lock for whole frames
//
// Everything that reaches the socket goes through conn, under its mutex, as whole frames: the
// library is given a net.Conn that passes on what it writes, control frames only, when a frame
// is whole.
//
// A Server is safe for concurrent use. What a frame says is in dialect/thingsboard; what is
// subscribed to, and in which order changes come, is in subscriptions.
package ws

// Package subscriptions knows who wants to hear of which series, and tells them.
//
// The engine hands every committed change of an entity somebody listens to into the bounded
// queue of a shard. The shard's goroutine encodes it once for each distinct view (scopes,
// keys, wire form) and hands the same bytes to every subscription of that view.
//
//	engine ─ Publish ─► queue of the shard ─► topic (one entity) ─► view ─► sinks
//	   └──── Follow ◄── when the queue overflowed
//
// # Promises
//
//   - Publish and Wants never block: ingestion does not run at the speed of a reader.
//   - A subscription gets its first frame, then exactly the changes of its view with a
//     position after the one the first frame was read at, in order: no hole, no repeat.
//   - When a queue overflows, the hub reads the log from where it was. When the log no longer
//     reaches back that far, the sink is told with Lost and has to start again.
//   - After Unsubscribe returned, the sink hears nothing more of that subscription.
//   - Who knows the Place of the last update it was told can come back with Resume, to this hub
//     or to another one over the same log: it hears what it missed, then what is new.
//   - Ordered subscriptions hear their changes in the order of the log, all of them together: one
//     Place is enough for a union of them.
//
// # How snapshot and stream meet
//
// A subscription is registered first, so that Wants is true, and collects what is published.
// Then its first frame is read from the engine, which says at what position each scope was
// read. Under the lock of the topic the first frame is delivered, then what was collected and
// lies after those positions; from then on it is one of its view. A queue that lags behind
// the snapshot is no problem: what lies before the position is skipped.
//
// # How somebody goes on
//
// A subscription that resumes is one whose first frame is read from the log: it is registered,
// what lies behind its place is read up to the end of the log, and there stream and log meet as
// above. All that wait for the log at one time share one reading of it. A union resumes as one: the
// log is read for all its members, which are opened together, between two changes.
//
// A Hub is safe for concurrent use. Sockets, users and query languages belong to the callers:
// a Sink is whatever can take bytes without blocking, an Encoder makes them.
package subscriptions

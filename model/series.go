package model

import "strconv"

// A Scope separates the series of an entity by who writes them. The numbers are part of
// the disk format.
type Scope uint8

// The scopes.
const (
	Timeseries Scope = iota + 1 // telemetry, ordered by its own timestamps
	Client                      // attributes a device reports of itself
	Server                      // attributes the server side keeps for itself
	Shared                      // attributes the server side tells the device
	State                       // device state merged by arrival
)

// AttributeScopes lists the scopes that hold attributes.
var AttributeScopes = [...]Scope{Client, Server, Shared}

// Arrival reports whether the engine assigns timestamps in arrival order:
// max(received, last timestamp of the entity and scope + 1).
func (s Scope) Arrival() bool { return s != Timeseries }

// String returns the name used in logs and dumps.
func (s Scope) String() string {
	switch s {
	case Timeseries:
		return "timeseries"
	case Client:
		return "client"
	case Server:
		return "server"
	case Shared:
		return "shared"
	case State:
		return "state"
	}
	return "scope" + strconv.Itoa(int(s))
}

// A Position is a place in the log of the engine that has applied everything up to it.
// Positions of one epoch are ordered. Zero is before everything.
type Position uint64

// A Point is one value at one instant.
type Point struct {
	TS    int64 // ms
	Value Value
}

// A Revision is one of the values a series has had at one instant. They are told from the
// first one, the original, which never changes, to the last.
//
// A write that keeps originals adds its value with the time of its arrival and its quality,
// unless it is the last one already; and before it the value it found, if that came by a
// write which did not ask for originals. The value there is now comes last, whoever wrote it.
type Revision struct {
	TS       int64 // ms
	Value    Value
	Received int64 // ms; 0 where it is not known: the write did not ask for originals
	Quality  uint8 // as in WriteSet.Qualities; 0 is good
}

// A KeyPoint is a point with the key of its series.
type KeyPoint struct {
	Key string
	Point
}

// A WriteSet is the change of one entity in one scope, all or nothing. Rows need not be
// ordered; where a key stands twice at one instant the later row wins. A set and the text
// its values refer to are the caller's again when Append returns.
type WriteSet struct {
	Tenant TenantID
	Entity EntityID
	Scope  Scope

	Keys  []string // distinct keys; cells refer to them by index
	Rows  []Row
	Cells []Cell // the cells of all rows, one row after the other
	// Qualities says of each cell how good it is: 0 good, anything else is the sender's code
	// of what is wrong with it. A bad cell is no point: it is kept among the revisions of
	// its instant only, and replaces nothing. Nil means that all are good. It asks for
	// KeepOriginals, and for a scope whose timestamps are the sender's.
	Qualities []uint8

	// Received is when the message arrived, ms. In arrival-ordered scopes it bounds the
	// timestamp from below and the Rows' TS are ignored.
	Received int64
	// TTL, ms, is how long after Received the history of these points is kept; zero means as
	// the policy says. A point that is written again has the time to live of the last write.
	TTL int64
	// KeepOriginals asks that every value of this set, and those it replaces, can still be
	// read: see Revision.
	KeepOriginals bool
}

// A Row is one instant of a WriteSet: the next Cells of the set.
type Row struct {
	TS    int64 // ms
	Cells int
}

// A Cell is one value of a row.
type Cell struct {
	Key   int // index into WriteSet.Keys
	Value Value
}

// Points reports the number of cells.
func (s *WriteSet) Points() int { return len(s.Cells) }

// A Change is what a committed entry did to one entity and scope, as followers see it. It
// is immutable, so any number of readers may keep it.
type Change struct {
	Position Position
	Tenant   TenantID
	Entity   EntityID
	Scope    Scope
	Keys     []string
	Rows     []Row  // TS as assigned: arrival-ordered scopes included
	Cells    []Cell // as in a WriteSet
	// Newest says of each cell whether it became the latest of its key: late points do not.
	Newest []bool
	// Deleted lists keys whose latest a delete dropped or rewrote, with what the latest is
	// now; Value is of TypeNone when there is none.
	Deleted []KeyPoint
}

// A Snapshot is the latest of some series of one entity and scope, all of one position.
type Snapshot struct {
	Position Position
	Points   []KeyPoint // sorted by key; null points are left out, as are keys without a value
}

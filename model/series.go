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

	// Received is when the message arrived, ms. In arrival-ordered scopes it bounds the
	// timestamp from below and the Rows' TS are ignored.
	Received int64
	// TTL, ms, is how long the history of these points is kept; zero means as the policy says.
	TTL int64
	// KeepOriginals asks that values this set replaces can still be read.
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

package model

import (
	"errors"
	"time"
)

// A RangeQuery asks for the points or the aggregates of series of one entity.
type RangeQuery struct {
	Tenant TenantID
	Entity EntityID
	Scope  Scope
	Keys   []string
	From   int64 // ms, inclusive
	To     int64 // ms, exclusive; To <= From is read as From+1

	// Limit bounds a raw answer per key. Zero or less means no limit of its own.
	Limit int
	// Descending turns a raw answer newest first.
	Descending bool
	// Cursor is where a page of raw points begins: that of the [RawPage] before, asked for with
	// the same range, keys and order. "" means at the beginning.
	Cursor string

	// Every cuts an aggregated answer into buckets.
	Every Interval
	// Aggregates names what each bucket needs; the engine may leave the others empty.
	Aggregates Aggregates

	// Budget bounds what the query may cost. Its zero value means the engine's own budget.
	Budget Budget
}

// ErrEnough is what a yield returns to end a call that has told enough; it is no failure.
var ErrEnough = errors.New("enough")

// A RawPage says how a page of raw points ended.
type RawPage struct {
	Position Position // what was read holds every set of the entity up to it
	// Truncated lists the keys that have more points than the limit, in the order asked.
	Truncated []string
	// Cursor is where the points left follow; "" when none are. It is by time: points that are
	// written, replaced or deleted meanwhile make none of the others appear twice or not at all.
	Cursor string
}

// A ScopeKey names a series of an entity that is not told.
type ScopeKey struct {
	Scope Scope
	Key   string
}

// An Interval is the width of the buckets of an aggregate.
type Interval struct {
	Unit   Unit
	Width  int64          // ms, for Fixed and Aligned
	Offset int64          // ms, for Aligned: an instant at which a bucket begins
	Zone   *time.Location // for calendar units; nil means UTC
}

// A Unit says how buckets are cut.
type Unit uint8

// The units. Fixed buckets start at From; all others at the boundaries of their clock, the
// first and the last one cut by the range.
const (
	Fixed   Unit = iota
	Aligned      // multiples of Width since the epoch, or since Offset
	Hour
	Day
	Week // Sunday to Saturday
	ISOWeek
	Month
	Quarter
	Year
)

// Aggregates is a set of aggregate functions.
type Aggregates uint8

// The aggregate functions.
const (
	Count Aggregates = 1 << iota
	Sum
	Avg
	Min
	Max
	First
	Last

	AllAggregates = Count | Sum | Avg | Min | Max | First | Last
)

// Has reports whether all of f are in a.
func (a Aggregates) Has(f Aggregates) bool { return a&f == f }

// Any reports whether one of f is in a.
func (a Aggregates) Any(f Aggregates) bool { return a&f != 0 }

// A Bucket is the aggregate of one series over [From, To), cut to the query's range. Empty
// buckets are never delivered. Rules of types: contract thingsboard 9.2.
type Bucket struct {
	From, To int64 // ms
	Count    int64 // every point of any type but null
	// Sum, Avg, Min and Max are of TypeNone where the bucket holds no number; Min and Max
	// are the lexicographic ones where it holds strings and no number.
	Sum, Avg, Min, Max Value
	First, Last        Point
}

// Mid returns the timestamp reported for the bucket (contract thingsboard 9.1).
func (b *Bucket) Mid() int64 { return b.From + (b.To-b.From)/2 }

// Value returns the result of one aggregate function; TypeNone when there is none.
func (b *Bucket) Value(f Aggregates) Value {
	switch f {
	case Count:
		return Int(b.Count)
	case Sum:
		return b.Sum
	case Avg:
		return b.Avg
	case Min:
		return b.Min
	case Max:
		return b.Max
	case First:
		return b.First.Value
	case Last:
		return b.Last.Value
	}
	return Value{}
}

// A DeleteRange removes history of keys of one entity and scope (contract thingsboard 8.6).
type DeleteRange struct {
	Tenant TenantID
	Entity EntityID
	Scope  Scope
	Keys   []string // none means every key of the scope
	From   int64    // ms, inclusive
	To     int64    // ms, exclusive
	// KeepLatest leaves the latest value alone although its point goes.
	KeepLatest bool
	// RewriteLatest replaces a dropped latest with the newest point left before From that can
	// be read: damage is stepped over, and told to the operator, as the delete has to be done.
	RewriteLatest bool
	Received      int64 // ms
}

package model

import (
	"fmt"
	"time"
)

// A Budget bounds what a query, or a call of several, may cost. A zero field means the
// engine's own bound. What would exceed one ends with an [Error] that wraps a *[BudgetError].
type Budget struct {
	// Scanned is how many points may be looked at. A summary read in place of the points it
	// is of counts as one.
	Scanned int64
	// Points is how many points or buckets may be delivered.
	Points int64
	// Bytes is how much memory the engine may hold of the answer at one time: the buckets of
	// an aggregate, with their texts. Raw points are delivered as they are read and not held.
	Bytes int64
	// Time is how long may be read, by all goroutines of the call together. The time its
	// caller spends on what was delivered is not counted.
	Time time.Duration
}

// Or returns b with the bounds of other in the place of its zero ones.
func (b Budget) Or(other Budget) Budget {
	if b.Scanned == 0 {
		b.Scanned = other.Scanned
	}
	if b.Points == 0 {
		b.Points = other.Points
	}
	if b.Bytes == 0 {
		b.Bytes = other.Bytes
	}
	if b.Time == 0 {
		b.Time = other.Time
	}
	return b
}

// A BudgetKind names a field of a Budget.
type BudgetKind uint8

// The bounds of a Budget.
const (
	BudgetScanned BudgetKind = iota + 1
	BudgetPoints
	BudgetBytes
	BudgetTime
)

// A BudgetError says which bound of its Budget a query met.
type BudgetError struct {
	Kind  BudgetKind
	Limit int64 // points, bytes, or nanoseconds
}

// Error returns the text that a client reads too: the bound, its value, and what to do.
func (e *BudgetError) Error() string {
	const advice = "; ask for a shorter range, fewer keys or wider intervals"
	switch e.Kind {
	case BudgetPoints:
		return fmt.Sprintf("The answer has more than the %d points one query may deliver; ask for a shorter range, fewer keys or a lower limit", e.Limit)
	case BudgetBytes:
		return fmt.Sprintf("The answer takes more than the %d bytes one query may hold%s", e.Limit, advice)
	case BudgetTime:
		return fmt.Sprintf("The query takes longer than the %v one query may read%s", time.Duration(e.Limit), advice)
	}
	return fmt.Sprintf("The query reads more than the %d points one query may read%s", e.Limit, advice)
}

// Exceeded returns the failure of a query that met the bound kind of limit. It is the
// caller's to ask for less (Invalid), except that a query which is slow today may be fast
// tomorrow (Overload).
func Exceeded(kind BudgetKind, limit int64) *Error {
	e := &BudgetError{Kind: kind, Limit: limit}
	k := Invalid
	if kind == BudgetTime {
		k = Overload
	}
	return &Error{Kind: k, Message: e.Error(), Err: e}
}

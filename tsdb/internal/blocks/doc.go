// Package blocks places the rows of one group into row groups and pages. It knows the rules
// and no store: it reads through a [Reader] and leaves its changes in an [Edit].
//
//	            sealed                    │ tail: unsealed
//	[page of 64 row groups][rg][rg]…[rg]  │ [small][small]…       ◄─ rows of a flush
//	     ▲ late points, deletes: rewrite  │  16 of them or 1,024 rows: joined, sealed
//	     │ what they touch, and its page  │
//
// A row group is sealed when it starts before [catalog.Tail].Sealed. New rows become a row
// group of their own without anything being read; a point is written to the log, once small,
// and once sealed. Sealed row groups end at UTC midnight where that costs little, so that
// days are answered from whole summaries.
package blocks

import "time"

// The rules.
const (
	// JoinCount small row groups are joined: what a read of the tail has to open.
	JoinCount = 16
	// JoinRows is the size from which row groups are sealed: smaller ones waste heads.
	JoinRows = 1024
	// mergeRows is the size up to which a sealed row group takes late rows that could also
	// stand beside it: else a trickle of late points makes a row group each.
	mergeRows = 1024

	day = int64(24 * time.Hour / time.Millisecond)
)

func dayOf(ts int64) int64 {
	d := ts / day
	if ts%day < 0 {
		d--
	}
	return d
}

// Package blocks places the rows of one group into row groups and pages. It knows the rules
// and no store: it reads through a [Reader] and leaves its changes in an [Edit].
//
//	            sealed                    │ tail: unsealed
//	[page of 64 row groups][rg][rg]…[rg]  │ [small][small]…       ◄─ rows of a flush
//	     ▲ late points, deletes: rewrite  │  16 of them or 1,024 rows: joined, sealed
//	     │ what they touch, and its page  │
//
// A delete takes away row groups it covers whole and rewrites those it touches. Where these
// are many it becomes a tomb of the tail instead, which every read honours, until [Placer.Reclaim]
// or a rewrite for another reason carries it out. No tomb covers a row group as this package
// writes it: [Placer.decode] leaves out what is hidden, and the write cuts the tombs around it.
//
// A row group is sealed when it starts before [catalog.Tail].Sealed. New rows become a row
// group of their own without anything being read; a point is written to the log, once small,
// and once sealed. Sealed row groups end at UTC midnight where that costs little, so that
// days are answered from whole summaries.
package blocks

import (
	"cmp"
	"time"

	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// The rules of production.
const (
	// JoinCount small row groups are joined: what a read of the tail has to open.
	JoinCount = 16
	// JoinRows is the size from which row groups are sealed: smaller ones waste heads.
	JoinRows = 1024
	// MergeRows is the size up to which a sealed row group takes late rows that could also
	// stand beside it: else a trickle of late points makes a row group each.
	MergeRows = 1024
	// restRowGroups is how many row groups that came late behind the last page of a finished
	// partition get a page: one each would be pages as many as row groups.
	restRowGroups = 8
	// maxTombs bounds the pieces of what is hidden only: a read goes through them, and they
	// stand in the state row. More are carried out at once.
	maxTombs = 256
	// DefaultRewrites is how many row groups a flush rewrites for the deletes of one group;
	// what would take more is hidden first and carried out in the background.
	DefaultRewrites = 64

	day = int64(24 * time.Hour / time.Millisecond)
)

// Rules are the numbers the rules go by. Zeros mean those of production; tests choose small
// ones, so that what is rare happens at once.
type Rules struct {
	JoinCount int
	JoinRows  int
	MergeRows int
	SealRows  int // a row group has at most; rowgroup.MaxRows
	PageCount int // row groups of a page; rowgroup.PageRowGroups
}

// WithDefaults returns a filled-in copy.
func (r Rules) WithDefaults() Rules {
	r.JoinCount = cmp.Or(r.JoinCount, JoinCount)
	r.JoinRows = cmp.Or(r.JoinRows, JoinRows)
	r.MergeRows = cmp.Or(r.MergeRows, MergeRows)
	r.SealRows = min(cmp.Or(r.SealRows, rowgroup.MaxRows), rowgroup.MaxRows)
	r.PageCount = min(cmp.Or(r.PageCount, rowgroup.PageRowGroups), rowgroup.PageRowGroups)
	return r
}

func dayOf(ts int64) int64 {
	d := ts / day
	if ts%day < 0 {
		d--
	}
	return d
}

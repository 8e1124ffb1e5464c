package scan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// A Gap is what a [Cursor] fails with where nothing can be read: items that start in
// [From, To) may be there or not. The cursor can be used again, beyond it.
type Gap struct {
	From, To int64 // ms
	Err      error // what keeps it from being read
}

func (g *Gap) Error() string {
	return fmt.Sprintf("nothing can be read from %d to %d: %v", g.From, g.To, g.Err)
}
func (g *Gap) Unwrap() error { return g.Err }

func asGap(err error) (*Gap, bool) {
	if err == nil {
		return nil, false
	}
	return errors.AsType[*Gap](err)
}

// A Damage is a span of one group that could not be read.
type Damage struct {
	Group    uint64
	From, To int64 // ms, within what was asked for
	Page     bool  // a page: its row groups were read instead, nothing is missing
	Err      error
}

// A DamageError says where something may be missing in what was yielded.
type DamageError struct{ Damage []Damage }

func (e *DamageError) Error() string {
	d := &e.Damage[0]
	return fmt.Sprintf("scan group %d from %d to %d: %v", d.Group, d.From, d.To, d.Err)
}

// Unwrap gives the causes.
func (e *DamageError) Unwrap() []error {
	var errs []error
	for i := range e.Damage {
		errs = append(errs, e.Damage[i].Err)
	}
	return errs
}

// maxDamage bounds what one walk remembers: from then on spans are put together.
const maxDamage = 256

// lost notes that what starts in [from, to) cannot be read.
func (w *rowWalk) lost(from, to int64, err error) {
	from, to = max(from, w.from), min(to, w.to)
	if from >= to {
		return
	}
	w.note(Damage{Group: w.group, From: from, To: to, Err: err})
}

// gone notes that row groups which start in a gap cannot be read. The last of them may reach
// as far as the next one that can be, within its partition.
func (w *rowWalk) gone(gap *Gap) error {
	if gap.From >= gap.To {
		return nil
	}
	end, err := Reach(w.cursor, gap.To)
	if err != nil {
		return err
	}
	w.lost(gap.From, end, gap)
	return nil
}

// Reach returns where points end of row groups that start before an instant and behind which
// there is none that starts before it: at the next one, or with the partition.
func Reach(c Cursor, to int64) (int64, error) {
	end := rowgroup.PartitionEnd(to - 1)
	if to >= end {
		return end, nil
	}
	next, b, err := c.SeekGE(to)
	if gap, ok := asGap(err); ok {
		return min(end, max(gap.From, to)), nil
	}
	if err != nil {
		return 0, err
	}
	if b != nil {
		end = min(end, next)
	}
	return end, nil
}

// notePage notes that pages cannot be read, for which row groups are read instead.
func (w *rowWalk) notePage(from, to int64, err error) {
	w.note(Damage{Group: w.group, From: from, To: to, Page: true, Err: err})
}

func (w *rowWalk) note(d Damage) {
	if n := len(w.damage); n >= maxDamage && w.damage[n-1].Group == d.Group {
		last := &w.damage[n-1]
		last.From, last.To = min(last.From, d.From), max(last.To, d.To)
		last.Page = last.Page && d.Page
		return
	}
	w.damage = append(w.damage, d)
}

// takeDamage adds what was noted to dst and forgets it.
func (w *rowWalk) takeDamage(dst []Damage) []Damage {
	dst = append(dst, w.damage...)
	clear(w.damage)
	w.damage = w.damage[:0]
	return dst
}

// damageError returns what was noted, each place once, as an error, or nil.
func damageError(all []Damage) error {
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b Damage) int {
		if c := cmp.Compare(a.Group, b.Group); c != 0 {
			return c
		}
		return cmp.Compare(a.From, b.From)
	})
	var out []Damage
	for _, d := range all {
		if n := len(out); n > 0 && out[n-1].Group == d.Group && out[n-1].Page == d.Page && d.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, d.To)
			continue
		}
		out = append(out, d)
	}
	return &DamageError{out}
}

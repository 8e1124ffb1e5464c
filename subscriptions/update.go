package subscriptions

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// An Update is what one change did to the series of one view.
type Update struct {
	Position model.Position
	Scope    model.Scope
	// Points are sorted by key, those of a key by time. A removed key has TS 0 and a Value
	// of TypeNone. There are none where the subscriber is only told where it is.
	Points []Point
	// Coalesced counts the points that were left out because newer ones, in this update,
	// superseded them before they could be sent.
	Coalesced int
	// Unsettled says that the first frame, read scope by scope, holds changes behind this one.
	Unsettled bool
}

// Place returns how far a subscriber has heard who is told u. It is none right after a first
// frame that had none, until that is behind.
func (u *Update) Place() Place {
	if u.Unsettled {
		return Place{}
	}
	return Place{u.Position, u.Scope}
}

// A Point is one value of an update.
type Point struct {
	Key   string
	TS    int64 // ms
	Value model.Value
	// Late says that a newer point of the key existed when this one was written.
	Late bool
}

// appendPoints adds all points of c to dst, sorted as Update.Points.
func appendPoints(dst []Point, c *model.Change) []Point {
	base := len(dst)
	cell := 0
	for _, row := range c.Rows {
		for range row.Cells {
			x := &c.Cells[cell]
			p := Point{Key: c.Keys[x.Key], TS: row.TS, Value: x.Value, Late: cell < len(c.Newest) && !c.Newest[cell]}
			if p.Value.Type() == model.TypeNull && !p.Late {
				p.TS, p.Value = 0, model.Value{} // the key was removed
			}
			if p.Value.Type() != model.TypeNull {
				dst = append(dst, p)
			}
			cell++
		}
	}
	for _, d := range c.Deleted {
		p := Point{Key: d.Key, TS: d.TS, Value: d.Value}
		if t := p.Value.Type(); t == model.TypeNone || t == model.TypeNull {
			p.TS, p.Value = 0, model.Value{}
		}
		dst = append(dst, p)
	}
	points := dst[base:]
	if !slices.IsSortedFunc(points, comparePoints) {
		slices.SortStableFunc(points, comparePoints)
	}
	return dst[:base+len(dropReplaced(points))]
}

func comparePoints(a, b Point) int {
	if c := strings.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	return cmp.Compare(a.TS, b.TS)
}

// dropReplaced keeps the last of several points of one key and instant: the later row wins.
func dropReplaced(points []Point) []Point {
	n := 0
	for i := range points {
		if i+1 < len(points) && points[i].TS == points[i+1].TS && points[i].Key == points[i+1].Key {
			continue
		}
		points[n] = points[i]
		n++
	}
	return points[:n]
}

// filter appends the points of a change that a view wants. Both points and keys are sorted;
// nil keys means all, and so does a nil window. That a key was removed is told within any span.
func filter(dst, points []Point, keys []string, newestOnly bool, w *model.Window) []Point {
	k := 0
	for i := range points {
		p := &points[i]
		if newestOnly && p.Late {
			continue
		}
		if w != nil && !w.Shows(p.Key, p.TS) && (p.Value.Type() != model.TypeNone || !w.HasKey(p.Key)) {
			continue
		}
		if keys != nil {
			for k < len(keys) && keys[k] < p.Key {
				k++
			}
			if k == len(keys) {
				break
			}
			if keys[k] != p.Key {
				continue
			}
		}
		dst = append(dst, *p)
	}
	return dst
}

// Merge adds a later update of the same view to u, keeping one point for each key: the
// newest. It is what a reader that cannot keep up is sent in place of every point.
func (u *Update) Merge(later *Update) {
	u.Position, u.Scope, u.Unsettled = later.Position, later.Scope, later.Unsettled
	u.Coalesced += later.Coalesced
	for i := range later.Points {
		p := &later.Points[i]
		at, found := slices.BinarySearchFunc(u.Points, p.Key, func(a Point, key string) int { return strings.Compare(a.Key, key) })
		switch {
		case !found:
			u.Points = slices.Insert(u.Points, at, *p)
		case !p.Late || u.Points[at].Late && p.TS >= u.Points[at].TS:
			u.Points[at] = *p
			u.Coalesced++
		default:
			u.Coalesced++
		}
	}
}

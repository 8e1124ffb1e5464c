package api

import (
	"testing"

	"github.com/tidewire/tidewire/model"
)

// A cursor comes from a client: it moves a query of revisions to where it was made for, or is refused.
func FuzzRevisionCursor(f *testing.F) {
	fresh := func() *revisionsAnswer {
		a := &revisionsAnswer{query: model.RangeQuery{Entity: model.EntityID{1}, Keys: []string{"a", "b"}, From: 10, To: 1000}}
		a.places = []revisionPlace{{more: true, ts: 10}, {more: true, ts: 10}}
		return a
	}
	a := fresh()
	a.places[0] = revisionPlace{more: true, ts: 500, skip: 3}
	f.Add(a.cursor())
	a.places[1].more = false
	f.Add(a.cursor())
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, cursor string) {
		a := fresh()
		if !a.resume(cursor) {
			return
		}
		for _, p := range a.places {
			if p.more && (p.ts < a.query.From || p.ts >= a.query.To || p.skip < 0) {
				t.Errorf("%q goes on at %d behind %d", cursor, p.ts, p.skip)
			}
		}
	})
}

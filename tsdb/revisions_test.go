package tsdb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// keeps makes a set of one key and instant that keeps originals.
func keeps(ts, received int64, quality uint8, v model.Value) *model.WriteSet {
	s := rows(ts, 1, 1, 0, "a")
	s.Cells[0].Value, s.Received, s.KeepOriginals = v, received, true
	if quality != 0 {
		s.Qualities = []uint8{quality}
	}
	return s
}

// revisionsOf returns the revisions of key "a" as text.
func revisionsOf(t *testing.T, db *DB, from, to int64) string {
	t.Helper()
	var out []string
	q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, From: from, To: to}
	if _, err := db.Revisions(t.Context(), q, func(_ string, revisions []model.Revision) error {
		for _, r := range revisions {
			out = append(out, fmt.Sprintf("%d:%#v/%d@%d", r.TS, r.Value, r.Quality, r.Received))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func pointsOf(t *testing.T, db *DB) string {
	t.Helper()
	var out []string
	q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, From: 0, To: 1 << 50}
	if _, err := db.Raw(t.Context(), q, func(_ string, points []model.Point) error {
		for _, p := range points {
			out = append(out, fmt.Sprintf("%d:%#v", p.TS, p.Value))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestEveryValueAcceptedCanBeReadWhereverTheFlushComes(t *testing.T) {
	steps := []func(t *testing.T, db *DB){
		func(t *testing.T, db *DB) { mustAppend(t, db, keeps(1000, 5000, 0, model.Int(1))) },
		func(t *testing.T, db *DB) { mustAppend(t, db, keeps(1000, 6000, 0, model.Int(2))) },
		func(t *testing.T, db *DB) { mustAppend(t, db, keeps(1000, 6500, 0, model.Int(2))) },
		func(t *testing.T, db *DB) { mustAppend(t, db, keeps(1000, 7000, 4, model.String("abc"))) },
		func(t *testing.T, db *DB) { mustAppend(t, db, rows(1000, 1, 1, 3, "a")) },
		func(t *testing.T, db *DB) { mustAppend(t, db, rows(1000, 1, 1, 4, "a")) },
		func(t *testing.T, db *DB) { mustAppend(t, db, keeps(1000, 8000, 0, model.Float(5))) },
		func(t *testing.T, db *DB) { mustAppend(t, db, keeps(500, 9000, 1, model.Bool(true))) },
	}
	const want = `500:true/1@9000 1000:1/0@5000 1000:2/0@6000 1000:"abc"/4@7000 1000:4/0@0 1000:float 5/0@8000`
	for flushes := range 1 << len(steps) {
		if flushes%7 != 0 && flushes != 1<<len(steps)-1 { // enough of them
			continue
		}
		t.Run(fmt.Sprintf("%b", flushes), func(t *testing.T) {
			db := openTest(t, Options{})
			for i, step := range steps {
				step(t, db)
				if flushes&(1<<i) != 0 {
					if err := db.Flush(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := revisionsOf(t, db, 0, 2000); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if got := pointsOf(t, db); got != "1000:float 5" {
				t.Errorf("points %s", got)
			}
			if got := revisionsOf(t, db, 501, 1000); got != "" {
				t.Errorf("outside of the range: %s", got)
			}
		})
	}
}

// One request of a device may hold several values of one second.
func TestValuesOfOneInstantInOneSetAreAllKept(t *testing.T) {
	db := openTest(t, Options{})
	s := rows(1000, 0, 5, 1, "a")
	s.KeepOriginals, s.Received = true, 9000
	s.Qualities = []uint8{0, 0, 7, 0, 7}
	s.Cells[4].Value = s.Cells[3].Value
	mustAppend(t, db, s)
	const want = "1000:1/0@9000 1000:2/0@9000 1000:3/7@9000 1000:4/0@9000 1000:4/7@9000"
	if got := revisionsOf(t, db, 0, 2000); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := pointsOf(t, db); got != "1000:4" {
		t.Errorf("points %s", got)
	}
}

func TestDeletesTakeRevisions(t *testing.T) {
	for _, flush := range []bool{false, true} {
		t.Run(fmt.Sprintf("flush=%v", flush), func(t *testing.T) {
			db := openTest(t, Options{})
			do := func(err error) {
				t.Helper()
				if err == nil && flush {
					err = db.Flush(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			for ts := range int64(4) {
				mustAppend(t, db, keeps(1000+ts, 1, 0, model.Int(1)))
				mustAppend(t, db, keeps(1000+ts, 2, 1, model.Int(2)))
			}
			do(nil)
			_, err := db.Delete(t.Context(), model.DeleteRange{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, From: 1001, To: 1003})
			do(err)
			mustAppend(t, db, keeps(1002, 3, 0, model.Int(3)))
			const want = "1000:1/0@1 1000:2/1@2 1002:3/0@3 1003:1/0@1 1003:2/1@2"
			if got := revisionsOf(t, db, 0, 2000); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			_, err = db.DeleteEntity(t.Context(), aTenant, aDevice)
			do(err)
			if got := revisionsOf(t, db, 0, 2000); got != "" {
				t.Errorf("of what is deleted: %s", got)
			}
			do(db.Flush(t.Context()))
			if r, err := db.Check(t.Context()); err != nil || r.Revisions != 0 {
				t.Errorf("%d revisions are left, %v", r.Revisions, err)
			}
		})
	}
}

func TestRevisionsComeInPagesUpToTheLimit(t *testing.T) {
	db := openTest(t, Options{})
	for i := range 3 {
		s := rows(1000, 1, 700, int64(i), "a")
		s.KeepOriginals, s.Received = true, 1
		mustAppend(t, db, s)
	}
	for limit, want := range map[int][]int{0: {1024, 1024, 52}, 1500: {1024, 476}, 3: {3}} {
		var pages []int
		q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"never", "a"}, From: 0, To: 5000, Limit: limit}
		if _, err := db.Revisions(t.Context(), q, func(_ string, revisions []model.Revision) error {
			pages = append(pages, len(revisions))
			return nil
		}); err != nil || !slices.Equal(pages, want) {
			t.Errorf("limit %d: pages of %v, want %v (%v)", limit, pages, want, err)
		}
	}
	stop := errors.New("enough")
	q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, From: 0, To: 5000}
	if _, err := db.Revisions(t.Context(), q, func(string, []model.Revision) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	q.Descending = true
	if _, err := db.Revisions(t.Context(), q, nil); model.KindOf(err) != model.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestQualitiesThatSayNothingAreRefused(t *testing.T) {
	db := openTest(t, Options{})
	f := func(want string, change func(*model.WriteSet)) {
		t.Helper()
		s := keeps(1000, 1000, 1, model.Int(1))
		change(s)
		if _, err := db.Append(t.Context(), s); model.KindOf(err) != model.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("with originals only", func(s *model.WriteSet) { s.KeepOriginals = false })
	f("Qualities of 2 cells, there are 1", func(s *model.WriteSet) { s.Qualities = []uint8{0, 0} })
	f("scope timeseries only", func(s *model.WriteSet) { s.Scope = model.State })
	if p := db.Position(); p != 0 {
		t.Errorf("something was written, up to %d", p)
	}
}

// In-order writes read nothing at a flush, whether they keep originals or not; a correction of
// what is stored reads the row group it meets.
func TestRevisionsKnowWhereTheLastOneStands(t *testing.T) {
	db := openTest(t, Options{})
	mustAppend(t, db, keeps(5000, 1, 3, model.Int(1))) // no point
	for i := range int64(3) {
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, db, keeps(5000, 2+i, 3, model.Int(1)))
		mustAppend(t, db, rows(4000, 1, 1, i, "a"))
	}
	if got := revisionsOf(t, db, 0, 6000); got != "5000:1/3@1" {
		t.Errorf("got %s", got)
	}
}

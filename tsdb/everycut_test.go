package tsdb

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/blocks"
	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// columnsOfEveryKind are keys whose values take every form of a column and of a summary.
var columnsOfEveryKind = []struct {
	name  string
	value func(rng *rand.Rand) model.Value
}{
	{"count", func(rng *rand.Rand) model.Value { return model.Int(rng.Int64N(1000)) }},
	{"huge", func(rng *rand.Rand) model.Value { return model.Int(int64(rng.Uint64())) }},
	{"decimal", func(rng *rand.Rand) model.Value { return model.Float(float64(rng.IntN(100_000)) / 100) }},
	{"integral", func(rng *rand.Rand) model.Value { // 21 between 20.99 and 21.01
		if n := rng.Int64N(3000); n%10 == 0 {
			return model.Int(n / 10)
		} else {
			return model.Float(float64(n) / 10)
		}
	}},
	{"full", func(rng *rand.Rand) model.Value { return model.Float(rng.NormFloat64() * 100) }},
	{"wide", func(rng *rand.Rand) model.Value { return model.Float(math.Ldexp(rng.Float64(), rng.IntN(200)-100)) }},
	{"flag", func(rng *rand.Rand) model.Value { return model.Bool(rng.IntN(2) == 0) }},
	{"text", func(rng *rand.Rand) model.Value { return model.String(fmt.Sprint("mode ", rng.IntN(9))) }},
	{"any", func(rng *rand.Rand) model.Value {
		switch rng.IntN(7) {
		case 0:
			return model.Null()
		case 1:
			return model.Bool(true)
		case 2:
			return model.String("x")
		case 3:
			return model.JSON(`[1]`)
		case 4:
			return model.Float(math.Copysign(0, -1))
		case 5:
			return model.Float(rng.Float64())
		}
		return model.Int(rng.Int64N(10))
	}},
}

// An everyCut is one device, whose history is cut at random edges.
type everyCut struct {
	*testing.T
	rng   *rand.Rand
	db    *DB
	o     Options
	keys  []string
	now   int64
	cuts  int64
	edges int // of one round of comparisons
}

func (e *everyCut) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *everyCut) set(from, step int64, n int) *model.WriteSet {
	s := &model.WriteSet{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: e.keys}
	for i := range n {
		row := model.Row{TS: from + int64(i)*step}
		for k, c := range columnsOfEveryKind {
			if i > 0 && e.rng.IntN(20) == 0 {
				continue
			}
			row.Cells++
			s.Cells = append(s.Cells, model.Cell{Key: k, Value: c.value(e.rng)})
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

// changes are the ways in which a history changes; after each of them every cut is compared.
var changesOfHistory = []struct {
	name string
	do   func(e *everyCut)
}{
	{"rows in order", func(e *everyCut) {
		n := 200 + e.rng.IntN(400)
		mustAppend(e.T, e.db, e.set(e.now, 1000, n))
		e.now += int64(n) * 1000
	}},
	{"a flush", func(e *everyCut) { e.must(e.db.Flush(e.Context())) }},
	{"late rows", func(e *everyCut) { mustAppend(e.T, e.db, e.set(e.somewhere()+500, 1000, 60)) }},
	{"corrections", func(e *everyCut) { mustAppend(e.T, e.db, e.set(e.somewhere()/1000*1000, 1000, 90)) }},
	{"a delete", func(e *everyCut) {
		d := model.DeleteRange{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, From: e.somewhere(), RewriteLatest: true}
		d.To = d.From + 1 + e.rng.Int64N(300_000)
		if e.rng.IntN(2) == 0 {
			d.Keys = e.keys[:1+e.rng.IntN(len(e.keys))]
		}
		_, err := e.db.Delete(e.Context(), d)
		e.must(err)
	}},
	{"a flush that joins", func(e *everyCut) {
		for range 4 {
			mustAppend(e.T, e.db, e.set(e.now, 1000, 20))
			e.now += 20_000
			e.must(e.db.Flush(e.Context()))
		}
	}},
	{"originals kept", func(e *everyCut) {
		s := e.set(e.somewhere()/1000*1000, 1000, 10)
		s.KeepOriginals = true
		mustAppend(e.T, e.db, s)
	}},
	{"retention", func(e *everyCut) {
		// All but the newest of each column; at midnight between them, the rest of a day.
		keep := model.Keep{Versions: 300 + e.rng.IntN(300)}
		if e.rng.IntN(2) == 0 {
			keep = model.Keep{Time: dayLength}
		}
		at := e.now + e.rng.Int64N(dayLength)
		_, err := e.db.flusher.expire(e.Context(), func(model.TenantID, model.EntityID, model.Scope, string) model.Keep { return keep }, at)
		e.must(err)
	}},
	{"the end of a time to live", func(e *everyCut) {
		s := e.set(e.somewhere()/1000*1000, 1000, 40)
		s.Received, s.TTL = e.now, 1+e.rng.Int64N(2000)
		mustAppend(e.T, e.db, s)
		e.must(e.db.Flush(e.Context()))
		for left := true; left; {
			var err error
			left, err = e.db.flusher.reclaimStep(e.Context(), 1, e.now+1000, e.now+1000)
			e.must(err)
		}
	}},
	{"a restore", func(e *everyCut) {
		_, err := e.db.Backup(e.Context(), "backup", nil)
		e.must(err)
		e.must(errors.Join(e.db.Close(), e.o.FS.RemoveAll("db")))
		_, err = vfs.Clone(e.o.FS, e.o.FS, "backup", "db", vfs.CloneSync)
		e.must(errors.Join(err, e.o.FS.RemoveAll("backup"), Restored("db", e.o)))
		e.db, err = Open("db", e.o)
		e.must(err)
	}},
	{"a reclaim", func(e *everyCut) { e.must(e.db.Flush(e.Context())); e.must(e.db.Reclaim(e.Context())) }},
	{"a start", func(e *everyCut) {
		e.must(e.db.Close())
		var err error
		e.db, err = Open("db", e.o)
		e.must(err)
	}},
}

func (e *everyCut) somewhere() int64 {
	return workloadStart + e.rng.Int64N(max(1, e.now-workloadStart))
}

// compare cuts the history between any two of some edges, and holds the aggregate of each
// piece against the points it is decoded to.
func (e *everyCut) compare(after string) {
	e.Helper()
	edges := []int64{workloadStart - 1, e.now + 1}
	for range e.edges {
		at := e.somewhere()
		switch e.rng.IntN(3) {
		case 0:
			at = at / 1000 * 1000
		case 1: // the edge of a step, of what was written in order
			at = workloadStart + (at-workloadStart)/128_000*128_000
		}
		edges = append(edges, at)
	}
	points := map[string][]model.Point{}
	q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: e.keys, From: 0, To: 1 << 50}
	_, err := e.db.Raw(e.Context(), q, func(key string, p []model.Point) error {
		points[key] = append(points[key], p...)
		return nil
	})
	e.must(err)
	for i, from := range edges {
		for _, to := range edges[i+1:] {
			from, to := min(from, to), max(from, to)+1
			q := *q
			q.From, q.To, q.Every, q.Aggregates = from, to, model.Interval{Width: to - from}, model.AllAggregates
			got := map[string]model.Bucket{}
			_, err := e.db.Aggregate(e.Context(), &q, func(key string, b []model.Bucket) error {
				got[key] = b[0]
				return nil
			})
			e.must(err)
			for _, key := range e.keys {
				e.cuts++
				var piece []model.Point
				exact := true
				for _, p := range points[key] {
					if p.TS >= from && p.TS < to {
						piece = append(piece, p)
						exact = exact && (!p.Value.Type().IsNumber() || twins.IsDecimal(p.Value))
					}
				}
				var want model.Bucket
				if len(piece) > 0 {
					want = twins.Fold(from, to, piece)
				}
				if have := got[key]; !sameBucket(have, want, exact) {
					e.Fatalf("after %s, %q in [%d,%d), %d points:\nsummary %+v\ndecoded %+v", after, key, from, to, len(piece), have, want)
				}
			}
		}
	}
}

// sameBucket compares bit for bit, sums of numbers that are no decimals to 10⁻¹².
func sameBucket(a, b model.Bucket, exact bool) bool {
	if !exact {
		if !near(a.Sum, b.Sum) || !near(a.Avg, b.Avg) {
			return false
		}
		a.Sum, a.Avg, b.Sum, b.Avg = model.Value{}, model.Value{}, model.Value{}, model.Value{}
	}
	return a == b
}

func near(a, b model.Value) bool {
	x, ok := a.Number()
	y, also := b.Number()
	return ok == also && a.Type() == b.Type() && math.Abs(x-y) <= 1e-12*math.Max(math.Abs(x), math.Abs(y))
}

// What a summary answers equals what decoding answers, for every cut, after every kind of
// change of the history.
func TestASummaryEqualsTheDecodedPointsForEveryCut(t *testing.T) {
	var cuts int64
	seeds := twins.Seeds(1)
	for seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			e := &everyCut{T: t, rng: rand.New(rand.NewPCG(seed, 11)), now: workloadStart, edges: 5}
			for _, c := range columnsOfEveryKind {
				e.keys = append(e.keys, c.name)
			}
			e.o = Options{FS: vfs.NewMem(), Rewrites: 1 + int(seed%3), manual: true} // nothing goes but by a change
			e.o.tuning.rules = blocks.Rules{JoinCount: 4, JoinRows: 300, SealRows: 500, MergeRows: 64, PageCount: 2}
			var err error
			e.db, err = Open("db", e.o)
			e.must(err)
			defer func() {
				if _, err := e.db.Check(t.Context()); err != nil {
					t.Error(err)
				}
				if err := e.db.Close(); err != nil {
					t.Error(err)
				}
			}()
			changesOfHistory[0].do(e)
			for round := range 2 / twins.Thin(2) {
				for _, i := range append([]int{0, 1}, e.rng.Perm(len(changesOfHistory))...) {
					c := changesOfHistory[i]
					c.do(e)
					e.compare(fmt.Sprintf("round %d, %s", round, c.name))
				}
			}
			cuts += e.cuts
		})
	}
	t.Logf("%d cuts struck in %d histories", cuts, seeds)
}

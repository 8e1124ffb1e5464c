package tsdb

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/blocks"
)

// formatTime is when everything in the directory of a format arrived, ms.
const formatTime = 1_700_000_000_000

const (
	formatDay  = 24 * 3600 * 1000
	formatLife = 100 * formatDay // the times to live, ms
)

// formatOptions are those of the process that writes or reads the directory of a format.
func formatOptions() Options {
	return Options{
		manual: true, MinFree: -1, memTable: 256 << 10, CacheBytes: 1 << 20,
		Now: func() time.Time { return time.UnixMilli(formatTime + formatDay) },
	}
}

// A formatWriter writes the directory of a format: a bit of whatever the store can hold, by
// the doors of the package. It draws nothing at random.
type formatWriter struct {
	*testing.T
	dir string
	db  *DB
}

func (w *formatWriter) open(tune func(*Options)) {
	w.Helper()
	o := formatOptions()
	o.Random, o.Rewrites = bytes.NewReader([]byte("an epoch")), -1
	if tune != nil {
		tune(&o)
	}
	var err error
	if w.db, err = Open(w.dir, o); err != nil {
		w.Fatal(err)
	}
}

func (w *formatWriter) close() { w.Helper(); w.done(w.db.Close()) }

func (w *formatWriter) done(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *formatWriter) append(s *model.WriteSet) {
	w.Helper()
	if s.Received == 0 {
		s.Received = formatTime
	}
	_, err := w.db.Append(w.Context(), s)
	w.done(err)
}

func (w *formatWriter) flush() { w.Helper(); w.done(w.db.Flush(w.Context())) }

func (w *formatWriter) delete(d model.DeleteRange) {
	w.Helper()
	d.Received = formatTime
	_, err := w.db.Delete(w.Context(), d)
	w.done(err)
}

// formatEntity names what the directory holds of an entity.
func formatEntity(tenant, entity byte) (model.TenantID, model.EntityID) {
	return model.TenantID{tenant, 15: 1}, model.EntityID{entity, 15: 2}
}

// formatSet is a set of n rows; value returns the cell of a key, of TypeNone for none.
func formatSet(tenant, entity byte, scope model.Scope, names []string, n int, value func(row, key int) (ts int64, v model.Value)) *model.WriteSet {
	s := &model.WriteSet{Scope: scope, Keys: names}
	s.Tenant, s.Entity = formatEntity(tenant, entity)
	for i := range n {
		var r model.Row
		for k := range names {
			ts, v := value(i, k)
			if r.TS = ts; !v.IsNone() {
				s.Cells = append(s.Cells, model.Cell{Key: k, Value: v})
				r.Cells++
			}
		}
		s.Rows = append(s.Rows, r)
	}
	return s
}

// formatValues are values of every type and of the corners of each.
var formatValues = []model.Value{
	model.Int(0), model.Int(math.MaxInt64), model.Int(math.MinInt64), model.Int(1<<53 + 1), model.Float(math.Copysign(0, -1)), model.Float(0.1),
	model.Float(math.MaxFloat64), model.Float(math.SmallestNonzeroFloat64), model.Float(math.Pi), model.Float(21), model.Bool(true), model.Bool(false),
	model.String(""), model.String("Gezeiten äöü 潮"), model.JSON(`{"a":[1,2.50,null]}`), model.JSON(`"text"`),
}

// write makes the store, and a copy of it at to whose log goes on behind the flush position.
func (w *formatWriter) write(to string) {
	w.open(nil)
	w.fleet()
	w.mixed()
	w.originals()
	w.attributes()
	w.flush()
	w.changes()
	w.close()
	w.open(func(o *Options) {
		o.tuning.rules = blocks.Rules{JoinCount: 2, JoinRows: 4, MergeRows: 4, SealRows: 4}
		o.Retention = func(_ model.TenantID, _ model.EntityID, _ model.Scope, key string) (k model.Keep) {
			if key == "aged" {
				k.Time = 40 * formatDay
			}
			return k
		}
	})
	w.partitions()
	_, err := w.db.Expire(w.Context())
	w.done(err)
	w.close()
	w.open(nil)
	w.tail()
	_, err = w.db.Backup(w.Context(), to, nil)
	w.done(err)
	w.close()
}

// fleet writes regular rows: full row groups, of numbers, a counter, a switch and a word.
func (w *formatWriter) fleet() {
	c, err := w.db.Consumer("rules")
	w.done(err)
	for part := range 22 {
		w.append(formatSet(1, 1, model.Timeseries, []string{"temperature", "count"}, 200, func(i, k int) (int64, model.Value) {
			n := int64(200*part + i)
			if ts := formatTime - 45_000_000 + 10_000*n; k == 1 {
				return ts, model.Int(7 * n)
			} else if n%5 == 0 {
				return ts, model.Int(20 + n%3)
			} else {
				return ts, model.Float(20 + float64(n%37)/10)
			}
		}))
	}
	w.append(formatSet(1, 2, model.Timeseries, []string{"on", "word"}, 300, func(i, k int) (int64, model.Value) {
		ts := formatTime - 300_000 + int64(i*1000) + int64(i*i%77) // a jittered clock
		if k == 0 {
			return ts, model.Bool(i%7 < 3)
		}
		return ts, model.String([]string{"idle", "running", "failed"}[i/40%3])
	}))
	w.done(c.Commit(10))
	wide := make([]string, 40) // two groups
	for i := range wide {
		wide[i] = fmt.Sprintf("wide%02d", i)
	}
	w.append(formatSet(1, 3, model.Timeseries, wide, 5, func(i, k int) (int64, model.Value) {
		return formatTime + int64(i*1000), model.Float(float64(i*k) / 8)
	}))
	for e := range byte(2) { // to be removed: an entity, and a tenant
		w.append(formatSet(1+2*e, 9, model.Timeseries, []string{"gone"}, 10, func(i, _ int) (int64, model.Value) { return formatTime + int64(i), model.Int(int64(i)) }))
	}
	w.append(formatSet(2, 1, model.Timeseries, []string{"other"}, 10, func(i, _ int) (int64, model.Value) { return formatTime + int64(i), model.Int(int64(i)) }))
}

// mixed writes every type into one column, another one at irregular instants, and leaves cells out.
func (w *formatWriter) mixed() {
	w.append(formatSet(1, 4, model.Timeseries, []string{"any", "most", "precise"}, 160, func(i, k int) (int64, model.Value) {
		ts := formatTime - 50*formatDay + int64(i)*70_000_000 + int64(i*i*i%1001)
		switch {
		case k == 0:
			return ts, formatValues[i%len(formatValues)]
		case k == 1 && i%3 != 0:
			return ts, formatValues[i*i%6]
		case k == 2:
			return ts, model.Float(math.Sqrt(float64(i)))
		}
		return ts, model.Value{}
	}))
}

// originals writes values that are replaced and kept, bad ones, and points that go one day.
func (w *formatWriter) originals() {
	set := func(by float64, received int64, ttl int64, quality byte) {
		s := formatSet(1, 5, model.Timeseries, []string{"level", "flow"}, 6, func(i, k int) (int64, model.Value) {
			return formatTime + int64(i*1000), model.Float(float64(10*k+i) + by*float64(i%2))
		})
		s.KeepOriginals, s.Received, s.TTL = true, formatTime+received, ttl
		if quality != 0 {
			s.Qualities = make([]uint8, len(s.Cells))
			s.Qualities[3], s.Qualities[4] = quality, quality+1
		}
		w.append(s)
	}
	plain := formatSet(1, 5, model.Timeseries, []string{"level"}, 2, func(i, _ int) (int64, model.Value) { return formatTime + int64(i*1000), model.Int(-1) })
	w.append(plain)
	set(0, 10, 0, 0)
	set(0.5, 20, 0, 0)
	set(0.5, 30, 0, 0) // the same again adds nothing
	set(0.25, 40, 0, 7)
	w.flush()
	set(0.75, 50, 0, 0)
	set(0.125, 60, formatLife, 3)

	mortal := formatSet(1, 6, model.Timeseries, []string{"mortal", "other"}, 50, func(i, k int) (int64, model.Value) {
		return formatTime + int64(i*1000), model.Int(int64(100*k + i))
	})
	mortal.TTL = formatLife
	w.append(mortal)
	w.append(formatSet(1, 6, model.Timeseries, []string{"mortal"}, 20, func(i, _ int) (int64, model.Value) { // these stay
		return formatTime + int64(i*2000), model.Int(int64(-i))
	}))
}

// attributes writes all scopes ordered by arrival, state with keys that are removed.
func (w *formatWriter) attributes() {
	for version := range 3 {
		for _, scope := range append(model.AttributeScopes[:], model.State) {
			s := formatSet(1, 1, scope, []string{"firmware", "config", "active"}, 1, func(_, k int) (int64, model.Value) {
				return 0, []model.Value{model.String(fmt.Sprintf("v%d of %v", version, scope)), model.JSON(fmt.Sprintf(`{"n":%d}`, version)), model.Bool(version == 1)}[k]
			})
			s.Received = formatTime + int64(version)*1000
			w.append(s)
		}
	}
	removed := formatSet(1, 1, model.State, []string{"config", "active"}, 1, func(int, int) (int64, model.Value) { return 0, model.Null() })
	removed.Received = formatTime + 5000
	w.append(removed)
}

// changes writes late points and corrections, and hides, drops and removes.
func (w *formatWriter) changes() {
	w.append(formatSet(1, 1, model.Timeseries, []string{"temperature"}, 30, func(i, _ int) (int64, model.Value) { // replaced
		return formatTime - 45_000_000 + 10_000*int64(700+i), model.Float(99.5)
	}))
	w.append(formatSet(1, 1, model.Timeseries, []string{"count", "temperature"}, 30, func(i, k int) (int64, model.Value) { // late
		return formatTime - 45_000_000 + 10_000*int64(90*i) + 5000, model.Int(int64(-k))
	}))
	tenant, e1 := formatEntity(1, 1)
	_, e2 := formatEntity(1, 2)
	_, e3 := formatEntity(1, 3)
	_, e9 := formatEntity(1, 9)
	w.flush()
	w.delete(model.DeleteRange{Tenant: tenant, Entity: e1, Scope: model.Timeseries, Keys: []string{"count"}, From: formatTime - 40_000_000, To: formatTime - 35_000_000})
	w.delete(model.DeleteRange{Tenant: tenant, Entity: e2, Scope: model.Timeseries, Keys: []string{"on"}, From: formatTime - 20_000, To: formatTime + 1_000_000, RewriteLatest: true})
	w.delete(model.DeleteRange{Tenant: tenant, Entity: e2, Scope: model.Timeseries, Keys: []string{"word"}, From: formatTime - 10_000, To: formatTime + 1_000_000, KeepLatest: true})
	w.delete(model.DeleteRange{Tenant: tenant, Entity: e3, Scope: model.Timeseries, Keys: []string{"wide01", "wide35"}, From: 0, To: formatTime + formatDay})
	_, err := w.db.DeleteEntity(w.Context(), tenant, e9)
	w.done(err)
	third, _ := formatEntity(3, 9)
	w.done(w.db.DeleteTenant(w.Context(), third))
	w.append(formatSet(1, 9, model.Timeseries, []string{"again"}, 3, func(i, _ int) (int64, model.Value) { return formatTime + int64(i), model.Int(int64(i)) }))
}

// partitions writes four of them in row groups of four rows, enough of these for pages, and
// points that are older than is kept.
func (w *formatWriter) partitions() {
	for part := range 3 {
		w.append(formatSet(1, 7, model.Timeseries, []string{"long", "text"}, 300, func(i, k int) (int64, model.Value) {
			n := int64(300*part + i)
			if ts := formatTime - 80*formatDay + n*8_000_000; k == 0 {
				return ts, model.Float(float64(n%101) / 4)
			} else {
				return ts, formatValues[12+n%4]
			}
		}))
		w.flush()
	}
	w.append(formatSet(1, 8, model.Timeseries, []string{"aged", "young"}, 100, func(i, k int) (int64, model.Value) {
		return formatTime - int64(99-i)*formatDay, model.Int(int64(1000*k + i))
	}))
	w.append(formatSet(1, 10, model.Timeseries, []string{"aged"}, 20, func(i, _ int) (int64, model.Value) { // but for the newest all of it
		return formatTime - int64(90-i)*formatDay, model.Int(int64(i))
	}))
	w.flush()
	tenant, e7 := formatEntity(1, 7)
	w.delete(model.DeleteRange{Tenant: tenant, Entity: e7, Scope: model.Timeseries, Keys: []string{"long"}, From: formatTime - 60*formatDay, To: formatTime - 50*formatDay})
	w.delete(model.DeleteRange{Tenant: tenant, Entity: e7, Scope: model.Timeseries, From: formatTime - 30*formatDay, To: formatTime - 29*formatDay})
	w.flush()
}

// tail writes what is in the log and in no row group yet: an entry of every kind.
func (w *formatWriter) tail() {
	c, err := w.db.Consumer("rules")
	w.done(err)
	w.done(c.Commit(30))
	_, err = w.db.Consumer("new")
	w.done(err)
	tenant, e1 := formatEntity(1, 1)
	_, e2 := formatEntity(1, 2)
	w.append(formatSet(1, 1, model.Timeseries, []string{"temperature", "count"}, 20, func(i, k int) (int64, model.Value) { // replaced, and new
		return formatTime - 45_000_000 + 10_000*int64(4390+i), model.Int(int64(i + k))
	}))
	w.append(formatSet(1, 1, model.Timeseries, []string{"temperature", "new"}, 16, func(i, k int) (int64, model.Value) { // late, irregular, of every type
		return formatTime - 44_000_000 + int64(i*i)*7919, formatValues[(i+3*k)%len(formatValues)]
	}))
	originals := formatSet(1, 5, model.Timeseries, []string{"level", "flow"}, 6, func(i, k int) (int64, model.Value) {
		return formatTime + int64(i/2*1000), model.Float(float64(100*k + i)) // each instant twice
	})
	originals.KeepOriginals, originals.Received, originals.TTL = true, formatTime+70, formatLife
	originals.Qualities = make([]uint8, len(originals.Cells))
	originals.Qualities[1], originals.Qualities[10] = 9, 1
	w.append(originals)
	state := formatSet(1, 1, model.State, []string{"firmware", "config", "added"}, 2, func(i, k int) (int64, model.Value) {
		return 0, []model.Value{model.Null(), model.JSON(fmt.Sprintf(`{"tail":%d}`, i)), model.Int(int64(i))}[k]
	})
	state.Received = formatTime + 4000 // the clock went back: one behind the other all the same
	w.append(state)
	w.delete(model.DeleteRange{Tenant: tenant, Entity: e1, Scope: model.Timeseries, Keys: []string{"temperature"}, From: formatTime - 2_000_000, To: formatTime - 1_500_000})
	w.delete(model.DeleteRange{Tenant: tenant, Entity: e2, Scope: model.Timeseries, From: formatTime - 200_000, To: formatTime + 1_000_000, RewriteLatest: true})
	_, e3 := formatEntity(1, 3)
	_, err = w.db.DeleteEntity(w.Context(), tenant, e3)
	w.done(err)
	w.append(formatSet(2, 2, model.Timeseries, []string{"late", "comer"}, 3, func(i, k int) (int64, model.Value) { return formatTime + int64(i), formatValues[5+k] }))
}

// writeFormat makes the directory of this format. One that is there stays: versions that were
// handed out wrote it, and what this one would write is no proof that it reads theirs.
func writeFormat(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); err == nil {
		t.Fatalf("%s is there already: add another one, beside it", dir)
	}
	w := &formatWriter{T: t, dir: filepath.Join(t.TempDir(), "store")}
	to := filepath.Join(t.TempDir(), "copy")
	w.write(to)
	copyStore(t, to, filepath.Join(dir, "store"))
}

// copyStore copies the files of a store.
func copyStore(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

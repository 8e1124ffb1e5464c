package tsdb

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// openFlushed returns a DB with one row group, and the key of it.
func openFlushed(t *testing.T) (*DB, []byte) {
	t.Helper()
	db, err := Open("db", Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	mustAppend(t, db, rows(1_700_000_000_000, 1000, 100, 1, "a", "b"))
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	iter, err := db.store.NewIter(&pebble.IterOptions{LowerBound: []byte{keys.RowGroups}, UpperBound: []byte{keys.RowGroups + 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer iter.Close()
	if !iter.First() {
		t.Fatal("no row group")
	}
	return db, append([]byte(nil), iter.Key()...)
}

func TestCheckFindsWhatDoesNotAgree(t *testing.T) {
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			b = append([]byte(nil), b...)
			b[(at+len(b))%len(b)] ^= 0x10
			return b
		}
	}
	space := func(first byte) func([]byte) []byte { return func([]byte) []byte { return []byte{first} } }
	for name, c := range map[string]struct {
		key  func(rowGroup []byte) []byte // or the first one of a keyspace
		edit func([]byte) []byte          // nil removes
	}{
		"row group, first byte": {func(k []byte) []byte { return k }, flip(0)},
		"row group, middle":     {func(k []byte) []byte { return k }, flip(20)},
		"row group, last byte":  {func(k []byte) []byte { return k }, flip(-1)},
		"row group gone":        {func(k []byte) []byte { return k }, nil},
		"catalog row gone":      {space(keys.Catalog), nil},
		"names row gone":        {space(keys.Names), nil},
		"latest, last byte":     {space(keys.States), flip(-1)},
	} {
		t.Run(name, func(t *testing.T) {
			db, key := openFlushed(t)
			if k := c.key(key); len(k) == 1 {
				iter, err := db.store.NewIter(&pebble.IterOptions{LowerBound: k, UpperBound: []byte{k[0] + 1}})
				if err != nil {
					t.Fatal(err)
				}
				iter.First()
				key = append([]byte(nil), iter.Key()...)
				if err := iter.Close(); err != nil {
					t.Fatal(err)
				}
			}
			var value []byte
			if _, err := get(db.store, key, func(b []byte) error { value = append(value, b...); return nil }); err != nil {
				t.Fatal(err)
			}
			var err error
			if c.edit == nil {
				err = db.store.Delete(key, nil)
			} else {
				err = db.store.Set(key, c.edit(value), nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Check(t.Context()); !errors.Is(err, ErrCorrupt) {
				t.Errorf("check: %v", err)
			}
		})
	}
}

func TestAQueryOverDamageSaysWhere(t *testing.T) {
	db, key := openFlushed(t)
	var told []error
	db.damage.tell = func(err error) { told = append(told, err) }
	if err := db.store.Set(key, []byte("nonsense"), nil); err != nil {
		t.Fatal(err)
	}
	q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, From: 0, To: 1 << 50, Aggregates: model.Count, Every: model.Interval{Width: 1 << 40}}
	for range 2 {
		_, raw := db.Raw(t.Context(), q, func(string, []model.Point) error { return nil })
		_, agg := db.Aggregate(t.Context(), q, func(string, []model.Bucket) error { return nil })
		for _, err := range []error{raw, agg} {
			e, ok := errors.AsType[*model.DamageError](err)
			if !ok || len(e.Places) != 1 || !errors.Is(err, ErrCorrupt) || model.KindOf(err) != model.Damaged {
				t.Fatalf("got %v", err)
			}
			p := e.Places[0]
			if p.Entity != aDevice || !slices.Equal(p.Keys, []string{"a"}) || p.From != 1_700_000_000_000 || !strings.Contains(err.Error(), "2023-11-14T22:13:20") {
				t.Errorf("told %v", p)
			}
		}
	}
	if len(told) != 1 || !strings.Contains(told[0].Error(), "a, b of entity") {
		t.Errorf("events: %v", told)
	}
	_, state := db.StateAt(t.Context(), aTenant, aDevice, model.Timeseries, []string{"a"}, 1_700_000_000_001)
	if e, ok := errors.AsType[*model.DamageError](state); !ok || len(e.Places) != 1 || e.Places[0].From != 1_700_000_000_000 {
		t.Errorf("state: %v", state)
	}
}

// A flush meets a row group that cannot be read: that is told, and kept, and all else is written.
func TestAFlushGetsThroughADamagedRowGroup(t *testing.T) {
	var told atomic.Int64
	db, err := Open("db", Options{FS: vfs.NewMem(), HeadBytes: 64 << 10, Events: Events{Damaged: func(error) { told.Add(1) }}})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, db, rows(0, 1, 10, 1, "a"))
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	block := keys.Block{Partition: 0, Group: 1, First: 0}.Append(nil, keys.RowGroups)
	if err := db.store.Set(block, []byte("damaged"), nil); err != nil {
		t.Fatal(err)
	}
	for i := range 40 { // far more than the head takes, and corrections among them
		mustAppend(t, db, rows(int64(5+i*900), 1, 1000, 1, "a"))
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	losses := db.Losses()
	if len(losses) != 1 || losses[0].Entity != aDevice || losses[0].From != 0 || losses[0].To <= 9 || !slices.Equal(losses[0].Keys, []string{"a"}) {
		t.Errorf("losses %v, %v", losses, err)
	}
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	n := 0
	q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, From: 0, To: 1 << 50}
	if _, err := db.Raw(t.Context(), q, func(_ string, p []model.Point) error { n += len(p); return nil }); err != nil || n != 39*900+1000 {
		t.Errorf("%d points, %v", n, err)
	}
	if _, err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// A block of a table is damaged under a running store: writes of others go on; a flush that
// needs what was in it mends it, and then compactions succeed.
func TestWritesNeverStallOverADamagedTable(t *testing.T) {
	fs := tornStore(t)
	if tear(t, fs, keys.RowGroups, func(n, of int) bool { return n == of/2 }) == 0 {
		t.Fatal("no block was struck")
	}
	db, err := Open("db", Options{FS: fs, HeadBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	lacking := judgeTorn(t, db)
	for i := range tornDevices { // of others: nothing of what there is is needed
		s := tornSet(i)
		s.Entity[1] = 1
		mustAppend(t, db, s)
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := judgeTorn(t, db); n != lacking {
		t.Errorf("%d devices lack something, before %d", n, lacking)
	}
	if losses := db.Losses(); len(losses) > 0 {
		t.Errorf("losses before anything was taken away: %v, %v", losses, err)
	}
	for i := range tornDevices { // late: every row group there is
		late := tornSet(i)
		for r := range late.Rows {
			late.Rows[r].TS++
		}
		mustAppend(t, db, late)
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	losses := db.Losses()
	if len(losses) < lacking {
		t.Errorf("%d losses of %d, %v", len(losses), lacking, err)
	}
	if survivors(t, db, losses) == 0 {
		t.Error("nothing is missing")
	}
	if err := db.store.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Errorf("compaction after mending: %v", err)
	}
	if _, err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if _, err := CheckDir(t.Context(), "db", Options{FS: fs}, nil); err != nil {
		t.Error(err)
	}
}

// A delete that rewrites latest values is done over damage too: they become the newest points
// that can be read, or are dropped where none can, also after a restart.
func TestADeleteRewritesTheLatestOverDamage(t *testing.T) {
	fs := vfs.NewMem()
	var told atomic.Int64
	o := Options{FS: fs, Events: Events{Damaged: func(error) { told.Add(1) }}}
	open := func() *DB {
		t.Helper()
		db, err := Open("db", o)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open()
	const month = 40 * 24 * 3600 * 1000
	mustAppend(t, db, rows(0, 1000, 10, 100, "a"))
	mustAppend(t, db, rows(month, 1000, 10, 200, "a", "b")) // of "b" all that is left
	mustAppend(t, db, rows(2*month, 1000, 10, 300, "a", "b"))
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	iter, err := db.store.NewIter(&pebble.IterOptions{LowerBound: []byte{keys.RowGroups}, UpperBound: []byte{keys.RowGroups + 1}})
	if err != nil {
		t.Fatal(err)
	}
	struck := 0
	for ok := iter.First(); ok; ok = iter.Next() {
		if b, err := keys.ParseBlock(iter.Key()); err != nil {
			t.Fatal(err)
		} else if b.First == month {
			struck++
			if err := db.store.Set(bytes.Clone(iter.Key()), []byte("nonsense"), pebble.Sync); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := iter.Close(); err != nil || struck == 0 {
		t.Fatalf("%d row groups struck, %v", struck, err)
	}
	if _, err := db.Delete(t.Context(), model.DeleteRange{
		Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, From: 2 * month, To: 3 * month, RewriteLatest: true,
	}); err != nil {
		t.Fatalf("delete: %v", err)
	}
	if told.Load() == 0 {
		t.Error("nobody was told of the damage")
	}
	for _, when := range []string{"at once", "after a restart"} {
		got, err := db.Latest(t.Context(), aTenant, aDevice, model.Timeseries, nil)
		if err != nil || len(got.Points) != 1 || got.Points[0] != (model.KeyPoint{Key: "a", Point: model.Point{TS: 9000, Value: model.Int(109)}}) {
			t.Errorf("latest %s: %+v, %v", when, got.Points, err)
		}
		if err := db.Flush(t.Context()); err != nil {
			t.Errorf("flush %s: %v", when, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = open()
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Small row groups are joined when a store closes: one that cannot be read is mended then.
func TestCloseGetsThroughADamagedRowGroup(t *testing.T) {
	fs := vfs.NewMem()
	db, err := Open("db", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(3) {
		mustAppend(t, db, rows(i*100, 1, 10, 1, "a"))
		mustFlush(t, db)
	}
	block := keys.Block{Partition: 0, Group: 1, First: 100}.Append(nil, keys.RowGroups)
	if err := db.store.Set(block, []byte("damaged"), nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open("db", Options{FS: fs}); err != nil {
		t.Fatal(err)
	}
	if losses := db.Losses(); len(losses) != 1 || losses[0].From != 100 || losses[0].To != 200 {
		t.Errorf("losses %v", losses)
	}
	mustCheck(t, db)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// A damaged span of several partitions and groups says of each group in it when its row groups
// may begin, also of the one at its end: with the bound behind a whole key, and with a short one.
func TestADamagedSpanSaysWhenRowGroupsOfItMayBegin(t *testing.T) {
	const day = int64(24 * 3600 * 1000)
	part := func(ts int64) int64 { return rowgroup.PartitionOf(ts) }
	start := keys.Block{Partition: part(100 * day), Group: 8, First: 100 * day}.Append(nil, keys.RowGroups)
	last := keys.Block{Partition: part(200 * day), Group: 50, First: 200 * day}.Append(nil, keys.RowGroups)
	for _, c := range []struct {
		name  string
		end   []byte
		group uint64
		to    int64
	}{
		{"before a row group", last, 50, 200 * day},
		{"behind one", afterKey(last), 50, 200*day + 1},
		{"behind the group", last[:len(last)-8], 50, partitionStart(part(200 * day))},
		{"a lesser group", last, 49, partitionStart(part(200*day) + 1)},
		{"a greater group", last, 51, partitionStart(part(200 * day))},
	} {
		from, to, ok := keySpan{start, c.end}.instants(keys.RowGroups, c.group)
		if !ok || to != c.to || from != partitionStart(part(100*day)) {
			t.Errorf("%s: from %d to %d, %v; want to %d", c.name, from, to, ok, c.to)
		}
	}
}

package tsdb

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A block torn under a running store must not keep compactions from going on, nor writers:
// what is lost is recorded and told, and everything else stays as it was.
func TestCompactionsAndWritesGoOnOverATornBlock(t *testing.T) {
	fs := tornStore(t)
	tear(t, fs, keys.RowGroups, func(n, of int) bool { return n == of/2 })
	told := 0
	db, err := Open("db", Options{FS: fs, memTable: 64 << 10, CacheBytes: 1, Events: Events{Damaged: func(error) { told++ }}})
	if err != nil {
		t.Fatal(err)
	}
	// Writers go on until compactions have met the block, and far beyond.
	const rounds = 60
	for i := range int64(rounds) {
		for device := range tornDevices {
			s := rows(1_700_001_000_000+i*40_000, 1000, 40, i, "a", "b")
			s.Entity = model.EntityID{byte(device + 100)} // no flush meets the block
			mustAppend(t, db, s)
		}
		if err := db.Flush(t.Context()); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		flushed, err := db.store.AsyncFlush()
		if err != nil {
			t.Fatal(err)
		}
		<-flushed
	}
	if err := db.store.Compact(t.Context(), []byte{0}, []byte{255}, true); err != nil {
		t.Fatalf("the whole store cannot be compacted: %v", err)
	}
	if n := db.store.Metrics().Compact.Count; n == 0 {
		t.Error("nothing was compacted")
	}
	if lost := db.Losses(); len(lost) == 0 || told == 0 {
		t.Errorf("%d losses recorded, %d told", len(lost), told)
	}
	points := func(device int) (n int) {
		q := &model.RangeQuery{
			Tenant: aTenant, Entity: model.EntityID{byte(device)}, Scope: model.Timeseries, Keys: []string{"a"}, To: 1 << 62,
		}
		_, err := db.Raw(t.Context(), q, func(_ string, p []model.Point) error { n += len(p); return nil })
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		return n
	}
	lacking := 0
	for device := range tornDevices {
		if n := points(device + 100); n != rounds*40 {
			t.Errorf("device %d has %d points of %d", device+100, n, rounds*40)
		}
		if points(device+1) < 800 {
			lacking++
		}
	}
	if lacking == 0 || lacking > 8 {
		t.Errorf("%d of %d devices lack points", lacking, tornDevices)
	}
	mustCheck(t, db)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// A block that was emptied and is not settled has no checksum that tells of it, and no loss is
// written yet: queries that begin and end then say what they lack all the same.
func TestQueriesTellOfABlockThatIsEmptiedAndNotSettled(t *testing.T) {
	disk := tornStore(t)
	var emptied, now func()
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch {
		case !strings.HasSuffix(op.Path, ".sst"):
		case op.Kind == errorfs.OpFileWriteAt: // no table that Pebble writes is
			now = emptied
		case op.Kind == errorfs.OpFileSync && now != nil:
			run := now
			emptied, now = nil, nil
			run()
		}
		return nil
	}))
	db, err := Open("db", Options{FS: fs, CacheBytes: 1, manual: true, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	for device := range tornDevices { // which memory has from here on
		s := tornSet(device)
		if _, err := db.Latest(t.Context(), s.Tenant, s.Entity, s.Scope, nil); err != nil {
			t.Fatal(err)
		}
	}
	if tear(t, disk, keys.RowGroups, func(n, of int) bool { return n == of/2 }) == 0 {
		t.Fatal("no block was struck")
	}
	lacking := 0
	emptied = func() {
		if n := len(db.Losses()); n > 0 {
			t.Errorf("%d losses are told before it is settled", n)
		}
		lacking = judgeTorn(t, db)
	}
	if err := db.flusher.mendTorn(meet(db)); err != nil {
		t.Fatal(err)
	}
	if lacking == 0 || lacking > 8 {
		t.Errorf("%d of %d devices lacked points", lacking, tornDevices)
	}
	for device := range tornDevices {
		s := tornSet(device)
		q := &model.RangeQuery{Tenant: s.Tenant, Entity: s.Entity, Scope: s.Scope, Keys: []string{"b"}, To: 1 << 50}
		if _, err := db.Raw(t.Context(), q, func(string, []model.Point) error { return nil }); err != nil {
			t.Errorf("device %d, when all is settled: %v", device, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

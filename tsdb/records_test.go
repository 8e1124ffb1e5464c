package tsdb

import (
	"encoding/binary"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
)

// Who only reads must not fill memory: nothing is flushed then, and what was read is let go.
func TestReadsKeepToTheMemoryOfRecords(t *testing.T) {
	const entities, limit = 2000, 128 << 10
	o := Options{FS: vfs.NewMem(), CatalogBytes: limit}
	id := func(n int) (e model.EntityID) {
		binary.BigEndian.PutUint32(e[:], uint32(n+1))
		return e
	}
	db, err := Open("db", o)
	if err != nil {
		t.Fatal(err)
	}
	for n := range entities {
		s := rows(1000, 1, 1, int64(n), "a", "b")
		s.Entity = id(n)
		mustAppend(t, db, s)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openTest(t, o)
	most := int64(0)
	for range 2 {
		for n := range entities {
			got, err := db.Latest(t.Context(), aTenant, id(n), model.Timeseries, nil)
			if err != nil || len(got.Points) != 2 || got.Points[0].Value != model.Int(int64(n)) {
				t.Fatalf("entity %d: %v, %v", n, got, err)
			}
			most = max(most, db.Stats().CatalogBytes)
		}
	}
	if most > limit+limit/8 {
		t.Errorf("records take %d bytes, the limit is %d", most, limit)
	}
	if n := db.Stats().Entities; n == 0 || n == entities {
		t.Errorf("%d of %d entities in memory", n, entities)
	}
}

package tsdb

import (
	"runtime"
	"testing"
	"weak"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A store that was closed leaves nothing in memory, whatever was done with it.
func TestAClosedStoreIsFreed(t *testing.T) {
	closed := func() weak.Pointer[DB] {
		db, err := Open("db", Options{FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, db, rows(1, 1, 10, 1, "a", "b"))
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return weak.Make(db)
	}
	db := closed()
	for range 10 { // what is cleaned up may keep something for another round
		if runtime.GC(); db.Value() == nil {
			return
		}
	}
	t.Error("it is still in memory")
}

package tsdb

import (
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// patch empties the damaged blocks of a table and reports how many.
func patch(t *testing.T, fs vfs.FS, path string) int {
	t.Helper()
	_, torn, err := damagedSpans(fs, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := patchTable(fs, path, torn); err != nil {
		t.Fatal(err)
	}
	return len(torn)
}

// patchAll patches every table and reports how many blocks.
func patchAll(t *testing.T, fs vfs.FS) (n int) {
	t.Helper()
	names, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			n += patch(t, fs, path.Join("db", name))
		}
	}
	return n
}

// A patched table reads, forwards, backwards and by key, as if what the block held had never
// been there, and compacts.
func TestAPatchedBlockIsEmpty(t *testing.T) {
	for _, every := range []int{1, 2, 5} {
		fs := tornStore(t)
		torn := tear(t, fs, keys.RowGroups, func(n, _ int) bool { return n > 0 && n%every == 0 })
		if n := patchAll(t, fs); n != torn || torn == 0 {
			t.Fatalf("%d of %d blocks patched", n, torn)
		}
		if n := patchAll(t, fs); n != 0 {
			t.Errorf("%d blocks are still damaged", n)
		}
		store, err := pebble.Open("db", &pebble.Options{FS: fs, FormatMajorVersion: pebbleFormat})
		if err != nil {
			t.Fatal(err)
		}
		read := func() (up, down, got int) {
			iter, err := store.NewIter(&pebble.IterOptions{LowerBound: []byte{keys.RowGroups}, UpperBound: []byte{keys.RowGroups + 1}})
			if err != nil {
				t.Fatal(err)
			}
			for ok := iter.First(); ok; ok = iter.Next() {
				up++
				if found, err := get(store, iter.Key(), func([]byte) error { return nil }); err != nil || !found {
					t.Errorf("get %x: %t, %v", iter.Key(), found, err)
				}
			}
			for ok := iter.Last(); ok; ok = iter.Prev() {
				down++
				if !iter.SeekGE(iter.Key()) {
					t.Error("a key is not where it was")
				}
			}
			if err := errors.Join(iter.Error(), iter.Close()); err != nil {
				t.Fatal(err)
			}
			return up, down, up
		}
		up, down, _ := read()
		if err := store.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
			t.Fatal(err)
		}
		again, _, _ := read()
		if up != down || up != again || up == 0 && every > 1 {
			t.Errorf("%d row groups upwards, %d downwards, %d when compacted", up, down, again)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

package tsdb

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// Rows about the store itself may be any bytes: they are refused or mean what they are
// written as again.
func FuzzMetaRows(f *testing.F) {
	f.Add(flushState{position: 1, nextGroup: 2, logFirst: 3, batch: 4}.append(nil))
	k := keeper{cut: mark{1, 2, 3}}
	k.marks = []mark{{5, 20, 30}, {9, 90, 31}}
	f.Add(k.append(nil, 9))
	f.Add(k.append(nil, 0))
	f.Add(binary.AppendUvarint(nil, 300))
	f.Add(keys.AppendOwed(nil, 7))
	loss, err := json.Marshal(model.Loss{Keys: []string{"a"}, From: 1, To: 2, Cause: "c"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(loss)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseFlushState(b); err == nil && !bytes.Equal(s.append(nil), b) {
			t.Errorf("flush state %x is written %x", b, s.append(nil))
		}
		var k keeper
		_ = k.parse(b)
		if group, err := keys.ParseOwed(b); err == nil && !bytes.Equal(keys.AppendOwed(nil, group), b) {
			t.Errorf("owed key %x is written %x", b, keys.AppendOwed(nil, group))
		}
	})
}

// Rows of series, consumers and losses are read from a store, whatever stands in them.
func FuzzStoredMetaRows(f *testing.F) {
	store, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem(), Logger: logger{func(error) {}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := store.Close(); err != nil {
			f.Error(err)
		}
	})
	f.Add([]byte("0123456789abcdef"), binary.AppendUvarint(nil, 300))
	f.Add([]byte("name"), binary.LittleEndian.AppendUint64(nil, 9))
	f.Add(binary.BigEndian.AppendUint64(nil, 1), []byte(`{"keys":["a"],"from":1,"to":2,"cause":"c"}`))
	f.Fuzz(func(t *testing.T, name, value []byte) {
		for _, prefix := range [][]byte{keys.AppendMeta(nil, metaSeries), consumerKey(""), keys.AppendMeta(nil, metaLoss)} {
			row := append(bytes.Clone(prefix), name...)
			if err := store.Set(row, value, pebble.NoSync); err != nil {
				t.Fatal(err)
			}
			_ = eachSeriesRow(store, func(model.TenantID, int64) error { return nil })
			_ = new(cursors).load(store, 1)
			_ = eachLoss(store, func(uint64, model.Loss) error { return nil })
			if err := store.Delete(row, pebble.NoSync); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// The readers of damaged tables take any bytes for one: they find what verifies, or an error.
func FuzzDamagedTable(f *testing.F) {
	fs := vfs.NewMem()
	db, err := Open("db", Options{FS: fs})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := db.Append(f.Context(), rows(1, 1, 10, 1, "a", "b")); err != nil {
		f.Fatal(err)
	}
	if err := db.Close(); err != nil {
		f.Fatal(err)
	}
	names, err := fs.List("db")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		b := contentOf(f, fs, path.Join("db", name))
		f.Add(b, 0, byte(0))
		f.Add(b, len(b)-1, byte(1))
		f.Add(b, len(b)-60, byte(0x40))
		f.Add(b, len(b)/2, byte(0x40))
		f.Add(b[:len(b)-20], 0, byte(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, at int, flip byte) {
		if len(b) > 1<<20 {
			return // nothing new
		}
		b = bytes.Clone(b)
		if at >= 0 && at < len(b) {
			b[at] ^= flip
		}
		fs := vfs.NewMem()
		writeFile(t, fs, "000001.sst", b)
		_, _, _ = damagedSpans(fs, "000001.sst")
		_, _ = planFrame(fs, "000001.sst", keySpan{[]byte{0}, afterKey([]byte{255})}, nil)
	})
}

// The end of the newest log of the store below may be any bytes.
func FuzzLogTail(f *testing.F) {
	fs := vfs.NewMem()
	db, err := Open("db", Options{FS: fs})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := db.Append(f.Context(), rows(1, 1, 10, 1, "a", "b")); err != nil {
		f.Fatal(err)
	}
	names, err := fs.List("db")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		if isLog(name) {
			b := contentOf(f, fs, path.Join("db", name))
			f.Add(b)
			f.Add(b[:len(b)/2])
		}
	}
	if err := db.Close(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := vfs.NewMem()
		writeFile(t, fs, "000002.log", b)
		_ = checkLogTail(fs, "")
	})
}

// A cursor comes from a client: it moves a query to where it was made for, or is refused.
func FuzzPageCursor(f *testing.F) {
	q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a", "b"}, From: 10, To: 1000}
	down := *q
	down.Descending = true
	for _, q := range []*model.RangeQuery{q, &down} {
		p, err := newPager(q)
		if err != nil {
			f.Fatal(err)
		}
		p.next[0], p.more[1] = 500, false
		f.Add(p.cursor())
	}
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, q := range []*model.RangeQuery{q, &down} {
			p, err := newPager(q)
			if err != nil {
				t.Fatal(err)
			}
			if !p.resume(cursor) {
				continue
			}
			for i := range p.next {
				if p.more[i] && (p.next[i] < p.from || p.next[i] > p.to) {
					t.Errorf("%q goes on at %d, of [%d,%d)", cursor, p.next[i], p.from, p.to)
				}
			}
			again, err := newPager(q)
			if err != nil || !again.resume(p.cursor()) || !reflect.DeepEqual(p.next, again.next) || !reflect.DeepEqual(p.more, again.more) {
				t.Errorf("%q is not the place it says", cursor)
			}
		}
	})
}

func contentOf(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	file, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, info.Size())
	if len(b) > 0 {
		if _, err := file.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, fs vfs.FS, name string, b []byte) {
	t.Helper()
	file, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

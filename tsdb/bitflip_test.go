package tsdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/blocks"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// A disk image is the files of a store, by name.
type diskImage map[string][]byte

func imageOf(t *testing.T, fs vfs.FS) diskImage {
	t.Helper()
	names, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	image := diskImage{}
	for _, name := range names {
		f, err := fs.Open(fs.PathJoin("db", name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		image[name] = b
	}
	return image
}

// disk makes a file system of the image, one bit of one file flipped.
func (d diskImage) disk(t *testing.T, flipped string, bit int) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("db", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range d {
		if name == flipped {
			b = bytes.Clone(b)
			b[bit/8] ^= 1 << (bit % 8)
		}
		f, err := fs.Create(fs.PathJoin("db", name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.Write(bytes.Clone(b)); err != nil { // under the race detector it spoils what it was given
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// flips is how many bits are flipped: few, all of them in a soak, or as many as
// TIDEWIRE_FLIPS says.
func flips(bits, few int) (every int) {
	if s := os.Getenv("TIDEWIRE_FLIPS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			panic(fmt.Sprintf("TIDEWIRE_FLIPS=%q is not a number of flips", s))
		}
		few = n
	} else if all() {
		return 1
	}
	return bits/max(1, few/twins.Thin(5)) + 1
}

func flipOptions(fs vfs.FS) Options {
	o := Options{FS: fs, memTable: 64 << 10, CacheBytes: 1, CatalogBytes: 1, LogBytes: 1 << 20, manual: true}
	o.tuning.rules = blocks.Rules{JoinCount: 3, JoinRows: 24, SealRows: 24, PageCount: 2}
	return o
}

// flipped is a store with a little of everything: row groups, pages, latest, catalog,
// revisions and stored deletes in tables, and commit groups in the log. whole is what it
// holds, torn what it held before the last commit group.
func flippedStore(t *testing.T) (image diskImage, whole, torn string) {
	t.Helper()
	disk := vfs.NewCrashableMem()
	db, err := Open("db", flipOptions(disk))
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(4) {
		mustAppend(t, db, rows(workloadStart+i*40_000, 1000, 40, i, "a", "b"))
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	kept := rows(workloadStart+5000, 1000, 3, 70, "a")
	kept.KeepOriginals = true
	mustAppend(t, db, kept)
	mustAppend(t, db, ofAnother())
	mustAppend(t, db, textRows(workloadStart, 5, "some text "))
	if err := errors.Join(db.Flush(t.Context()), compactAll(db)); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, db, rows(workloadStart+300_000, 1000, 20, 5, "a", "b"))
	if _, err := db.Delete(t.Context(), model.DeleteRange{
		Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"b"}, From: workloadStart + 20_000, To: workloadStart + 30_000,
	}); err != nil {
		t.Fatal(err)
	}
	if torn, err = askEverything(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, db, rows(workloadStart+320_000, 1000, 5, 5, "a", "b"))
	if whole, err = askEverything(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	image = imageOf(t, disk.CrashClone(vfs.CrashCloneCfg{}))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return image, whole, torn
}

func compactAll(db *DB) error {
	flushed, err := db.store.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-flushed:
	case <-db.failed:
	}
	return db.store.Compact(context.Background(), []byte{0}, []byte{255}, false)
}

// askEverything returns all that can be seen of the flipped store, as text.
func askEverything(ctx context.Context, db *DB) (string, error) {
	var b strings.Builder
	for _, s := range []twinScope{{aTenant, aDevice, model.Timeseries}, {aTenant, anotherDevice, model.Server}} {
		q := &model.RangeQuery{Tenant: s.tenant, Entity: s.entity, Scope: s.scope, Keys: []string{"a", "b", "text", "other"}, From: 0, To: 1 << 50}
		latest, err := db.Latest(ctx, s.tenant, s.entity, s.scope, nil)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&b, latest.Points)
		if _, err := db.Raw(ctx, q, func(key string, p []model.Point) error { fmt.Fprintln(&b, key, p); return nil }); err != nil {
			return "", err
		}
		if _, err := db.Revisions(ctx, q, func(key string, r []model.Revision) error { fmt.Fprintln(&b, key, r); return nil }); err != nil {
			return "", err
		}
		q.Aggregates = model.AllAggregates
		for _, width := range []int64{1 << 50, 50_000} {
			q.Every = model.Interval{Width: width}
			if width < 1<<50 {
				q.From, q.To = workloadStart-7000, workloadStart+400_000
			}
			if _, err := db.Aggregate(ctx, q, func(key string, bs []model.Bucket) error {
				for i := range bs {
					fmt.Fprintln(&b, key, describe(&bs[i]))
				}
				return nil
			}); err != nil {
				return "", err
			}
		}
	}
	return b.String(), nil
}

// judgeFlip opens what is left and reports whether the flip was detected; an error is a wrong
// answer.
func judgeFlip(fs vfs.FS, whole string) (detected bool, err error) {
	ctx := context.Background()
	told := false
	o := flipOptions(fs)
	o.Events.Damaged = func(error) { told = true }
	o.Events.Fatal = func(error) { told = true }
	db, err := Open("db", o)
	if err != nil {
		return true, nil //nolint:nilerr // it was detected
	}
	defer func() {
		if cerr := db.Close(); cerr != nil {
			detected = true
		}
	}()
	for _, when := range []string{"opened", "flushed and compacted"} {
		if when != "opened" {
			if err := db.Flush(ctx); err != nil {
				detected = true
			}
			if err := compactAll(db); err != nil {
				detected = true
			}
		}
		seen, err := askEverything(ctx, db)
		switch {
		case err != nil:
			detected = true
		case seen != whole && !detected && !told:
			return false, fmt.Errorf("%s: wrong answers: %s", when, firstLine(seen, whole))
		case seen != whole && when == "opened":
			return false, fmt.Errorf("%s: wrong answers beside a report: %s", when, firstLine(seen, whole))
		}
	}
	if _, err := db.Check(ctx); err != nil {
		detected = true
	}
	return detected || told, nil
}

// A bit flipped in any file of a store, be it of the log, a table or what Pebble keeps of
// them, is found, or changes nothing that can be asked for, compactions included.
func TestEveryFlippedBitOfAFileIsDetectedOrHarmless(t *testing.T) {
	image, whole, torn := flippedStore(t)
	if detected, err := judgeFlip(image.disk(t, "", 0), whole); err != nil || detected {
		t.Fatalf("nothing is flipped: detected %v, %v", detected, err)
	}
	bits := 0
	for _, b := range image {
		bits += 8 * len(b)
	}
	every := flips(bits, 600)
	names := make([]string, 0, len(image))
	for name := range image {
		names = append(names, name)
	}
	slices.Sort(names)
	struck, found, lost, at, wrong := 0, 0, 0, 0, 0
	newest := names[slices.IndexFunc(names, isLog)]
	for _, name := range names {
		if isLog(name) {
			newest = name
		}
	}
	last := lastRecord(t, newest, image[newest])
	for _, name := range names {
		of, foundOf := 0, 0
		for bit := range 8 * len(image[name]) {
			if at++; at%every != 0 {
				continue
			}
			detected, err := judgeFlip(image.disk(t, name, bit), whole)
			if err != nil && name == newest && bit/8 >= last {
				// It is like one that a power cut has torn: it has to be gone, and nothing else.
				if _, err = judgeFlip(image.disk(t, name, bit), torn); err == nil {
					lost++
				}
			}
			if err != nil && wrong < 20 {
				wrong++
				t.Errorf("%s of %d bytes, byte %d, bit %d: %v", name, len(image[name]), bit/8, bit%8, err)
			}
			of++
			if detected {
				foundOf++
			}
		}
		struck, found = struck+of, found+foundOf
		t.Logf("%s: %d bytes, %d bits flipped, %d found", name, len(image[name]), of, foundOf)
	}
	t.Logf("%d flipped bits of files struck: %d were found, %d tore the last record of the log, the others changed nothing", struck, found, lost)
	if struck == 0 || found == 0 {
		t.Error("nothing was found")
	}
}

// A bit flipped in a row group or a page behind the back of Pebble's checksums is found by
// their own.
func TestEveryFlippedBitOfARowGroupIsDetected(t *testing.T) {
	image, whole, _ := flippedStore(t)
	fs := image.disk(t, "", 0)
	db, err := Open("db", flipOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	struck := 0
	for _, space := range []byte{keys.RowGroups, keys.Pages} {
		type row struct{ key, value []byte }
		var list []row
		iter, err := db.store.NewIter(&pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
		if err != nil {
			t.Fatal(err)
		}
		bits := 0
		for iter.First(); iter.Valid(); iter.Next() {
			list = append(list, row{bytes.Clone(iter.Key()), bytes.Clone(iter.Value())})
			bits += 8 * len(iter.Value())
		}
		if err := iter.Close(); err != nil {
			t.Fatal(err)
		}
		every, at := flips(bits, 400), 0
		for _, r := range list {
			for bit := range 8 * len(r.value) {
				if at++; at%every != 0 {
					continue
				}
				struck++
				b := bytes.Clone(r.value)
				b[bit/8] ^= 1 << (bit % 8)
				if err := db.store.Set(r.key, b, nil); err != nil {
					t.Fatal(err)
				}
				seen, err := askEverything(t.Context(), db)
				if err == nil && (space == keys.RowGroups || seen != whole) {
					t.Errorf("%c %x, byte %d, bit %d: not found, answers equal %v", space, r.key, bit/8, bit%8, seen == whole)
				}
				if _, err := db.Check(t.Context()); err == nil {
					t.Errorf("%c %x, byte %d, bit %d: Check is content", space, r.key, bit/8, bit%8)
				}
			}
			if err := db.store.Set(r.key, r.value, nil); err != nil {
				t.Fatal(err)
			}
		}
		if len(list) == 0 {
			t.Errorf("no row of space %c", space)
		}
	}
	if _, err := db.Check(t.Context()); err != nil {
		t.Errorf("nothing is flipped any more: %v", err)
	}
	t.Logf("%d flipped bits of row groups and pages struck, each found", struck)
}

// lastRecord returns where the last record of a log file begins.
func lastRecord(t *testing.T, name string, b []byte) (at int) {
	t.Helper()
	number, err := strconv.Atoi(strings.TrimSuffix(name, ".log"))
	if err != nil || len(b) > logBlock {
		t.Fatalf("%s of %d bytes: %v", name, len(b), err)
	}
	tail := logTail{number: uint32(number)}
	for i := 0; i < len(b); {
		n := tail.chunk(b[i:])
		if n == 0 {
			break
		}
		at, i = i, i+n
	}
	if at == 0 {
		t.Fatalf("%s has no two records", name)
	}
	return at
}

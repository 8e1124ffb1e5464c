package tsdb

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// thisFormat is the directory that this version wrote.
const thisFormat = "testdata/format2"

var update = flag.Bool("update", false, "write the directory of this format, which must not be there yet")

// A directory that a released version wrote is opened by every later one, with the same
// answers: as it is, when it has been checked and closed, and when what it owes was reclaimed.
// docs/format/README.md says what to do when one fails.
func TestDirectoriesOfEveryFormatAreRead(t *testing.T) {
	if *update {
		writeFormat(t, thisFormat)
		if err := os.WriteFile(filepath.Join(thisFormat, "answers.txt"), []byte(readFormat(t, thisFormat)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dirs, err := filepath.Glob("testdata/format*")
	if err != nil || !slices.Contains(dirs, thisFormat) {
		t.Fatalf("no %s: %v", thisFormat, err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join(dir, "answers.txt"))
			if err != nil {
				t.Fatal(err)
			}
			if got := readFormat(t, dir); got != string(want) {
				t.Errorf("answers differ: %s", firstLine(got, string(want)))
			}
		})
	}
}

// readFormat opens a copy of a directory again and again, and returns what it answers.
func readFormat(t *testing.T, dir string) string {
	t.Helper()
	store := filepath.Join(t.TempDir(), "store")
	copyStore(t, filepath.Join(dir, "store"), store)
	r := &formatReader{T: t}
	open := func(now int64) {
		t.Helper()
		o := formatOptions()
		o.Now = func() time.Time { return time.UnixMilli(now) }
		var err error
		if r.db, err = Open(store, o); err != nil {
			t.Fatal(err)
		}
	}
	closed := func() {
		t.Helper()
		if err := r.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	check := func() Report {
		t.Helper()
		report, err := r.db.Check(t.Context())
		if err != nil {
			t.Fatalf("check: %v", err)
		}
		return report
	}
	open(formatTime + formatDay)
	r.log()
	r.answers(nil)
	log := r.out.String()
	first := r.body()
	report := check()
	closed()

	open(formatTime + formatDay) // what the flush and the joins of this version made of it
	r.same(first, "after a flush")
	if err := r.db.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.same(first, "after reclaiming")
	if again := check(); again.Points != report.Points || again.Revisions != report.Revisions || again.Columns != report.Columns {
		t.Errorf("reclaimed: %+v, before: %+v", again, report)
	}
	closed()

	open(formatTime + formatDay + formatLife) // the times to live are over
	if err := r.db.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.out.Reset()
	r.answers([]byte{5, 6})
	later := r.out.String()
	report2 := check()
	closed()
	return fmt.Sprintf("%s\n== what is there\npoints %d, revisions %d, columns %d\n\n== when times to live are over\n%spoints %d, revisions %d\n",
		log, report.Points, report.Revisions, report.Columns, later, report2.Points, report2.Revisions)
}

// A formatReader writes down everything that a directory answers.
type formatReader struct {
	*testing.T
	db  *DB
	out strings.Builder
}

func (r *formatReader) done(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// list writes lines, of many of them the ends and a checksum of all.
func (r *formatReader) list(title string, lines []string) {
	const ends = 4
	fmt.Fprintf(&r.out, "%s: %d\n", title, len(lines))
	if len(lines) <= 6*ends {
		for _, l := range lines {
			fmt.Fprintf(&r.out, "  %s\n", l)
		}
		return
	}
	sum := fnv.New64a()
	for i, l := range lines {
		fmt.Fprintln(sum, l)
		if i < ends || i >= len(lines)-ends {
			fmt.Fprintf(&r.out, "  %s\n", l)
		} else if i == ends {
			fmt.Fprintf(&r.out, "  ...\n")
		}
	}
	fmt.Fprintf(&r.out, "  fnv of all: %016x\n", sum.Sum64())
}

// log writes what can be followed: the epoch, consumers, and every change.
func (r *formatReader) log() {
	fmt.Fprintf(&r.out, "== the log\nepoch %x, position %d, flushed %d\n", r.db.Epoch(), r.db.Position(), r.db.Stats().Flushed)
	for _, c := range r.db.Consumers() {
		fmt.Fprintf(&r.out, "consumer %s at %d\n", c.Name, c.Position)
	}
	_, err := r.db.Follow(r.Context(), 0, func(c *model.Change) error {
		var lines []string
		cell := 0
		for _, row := range c.Rows {
			for range row.Cells {
				lines = append(lines, fmt.Sprintf("%d %s=%#v newest %t", row.TS, c.Keys[c.Cells[cell].Key], c.Cells[cell].Value, c.Newest[cell]))
				cell++
			}
		}
		for _, d := range c.Deleted {
			lines = append(lines, fmt.Sprintf("latest of %s is %d %#v", d.Key, d.TS, d.Value))
		}
		r.list(fmt.Sprintf("%d %x/%x %v", c.Position, c.Tenant[0], c.Entity[0], c.Scope), lines)
		return nil
	})
	r.done(err)
}

// body returns the answers behind the log.
func (r *formatReader) body() string {
	_, body, _ := strings.Cut(r.out.String(), "== tenant")
	return body
}

// same compares the answers there are now with those of before.
func (r *formatReader) same(want, when string) {
	r.Helper()
	r.out.Reset()
	r.answers(nil)
	if got := r.body(); got != want {
		r.Errorf("%s: %s", when, firstLine(got, want))
	}
}

// answers asks for everything of all entities, or of some of the first tenant.
func (r *formatReader) answers(only []byte) {
	ctx := r.Context()
	for tenant := byte(1); tenant <= 3; tenant++ {
		for entity := byte(1); entity <= 10; entity++ {
			if only != nil && (tenant != 1 || !slices.Contains(only, entity)) {
				continue
			}
			for _, scope := range []model.Scope{model.Timeseries, model.Client, model.Server, model.Shared, model.State} {
				r.scope(ctx, tenant, entity, scope)
			}
		}
	}
	if only != nil {
		return
	}
	view, err := r.db.LatestColumns(ctx, model.TenantID{1, 15: 1}, []model.ScopeKey{{Scope: model.Timeseries, Key: "temperature"}, {Scope: model.Server, Key: "firmware"}})
	r.done(err)
	var lines []string
	for row := range int32(view.Len()) {
		if t, f := view.Point(0, row).Value, view.Point(1, row).Value; !t.IsNone() || !f.IsNone() {
			lines = append(lines, fmt.Sprintf("entity %d: %#v %#v", view.Entity(row)[0], t, f))
		}
	}
	slices.Sort(lines)
	r.list("\n== columns of temperature and firmware", lines)
}

func (r *formatReader) scope(ctx context.Context, tenant, entity byte, scope model.Scope) {
	t, e := formatEntity(tenant, entity)
	names, err := r.db.Keys(ctx, t, e, scope)
	r.done(err)
	if len(names) == 0 {
		return
	}
	fmt.Fprintf(&r.out, "\n== tenant %d entity %d %v\n", tenant, entity, scope)
	snapshot := func(title string, s model.Snapshot, err error) {
		r.done(err)
		var lines []string
		for _, p := range s.Points {
			lines = append(lines, fmt.Sprintf("%s %d %#v", p.Key, p.TS, p.Value))
		}
		r.list(title, lines)
	}
	r.list("keys", names)
	s, err := r.db.Latest(ctx, t, e, scope, nil)
	snapshot("latest", s, err)
	s, err = r.db.StateAt(ctx, t, e, scope, nil, formatTime+1000)
	snapshot(fmt.Sprintf("state at %d", formatTime+1000), s, err)
	for _, name := range names {
		q := &model.RangeQuery{Tenant: t, Entity: e, Scope: scope, Keys: []string{name}, From: 0, To: 2 * formatTime}
		r.series(ctx, name, q)
	}
}

func (r *formatReader) series(ctx context.Context, name string, q *model.RangeQuery) {
	var points, buckets, revisions []string
	_, err := r.db.Raw(ctx, q, func(_ string, ps []model.Point) error {
		for _, p := range ps {
			points = append(points, fmt.Sprintf("%d %#v", p.TS, p.Value))
		}
		return nil
	})
	r.done(err)
	r.list(name, points)
	q.Aggregates, q.Every = model.AllAggregates, model.Interval{Unit: model.Month}
	_, err = r.db.Aggregate(ctx, q, func(_ string, bs []model.Bucket) error {
		for i := range bs {
			buckets = append(buckets, describe(&bs[i]))
		}
		return nil
	})
	r.done(err)
	r.list(name+" by month", buckets)
	if q.Scope.Arrival() {
		return
	}
	_, err = r.db.Revisions(ctx, q, func(_ string, rs []model.Revision) error {
		for _, v := range rs {
			revisions = append(revisions, fmt.Sprintf("%d %#v received %d quality %d", v.TS, v.Value, v.Received, v.Quality))
		}
		return nil
	})
	r.done(err)
	if len(revisions) > 0 {
		r.list(name+", revisions", revisions)
	}
}

// thisStore opens a copy of the store that this version wrote, without the engine.
func thisStore(t *testing.T) *pebble.DB {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	copyStore(t, filepath.Join(thisFormat, "store"), dir)
	o, err := formatOptions().withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	o.readOnly = true
	store, unlock, err := openStore(dir, o, new(atomic.Bool), signals{}, func(error) {}, newDamages(o.FS, Events{}), newFailures(&o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(store.Close(), unlock()); err != nil {
			t.Error(err)
		}
	})
	return store
}

// The directory of this format has an example of whatever there is to be read.
func TestTheDirectoryOfThisFormatHoldsEverything(t *testing.T) {
	store := thisStore(t)
	found := map[string]int{}
	iter, err := store.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for ok := iter.First(); ok; ok = iter.Next() {
		space, name := string(iter.Key()[:1]), string(iter.Key()[1:])
		if found[space]++; space == string(keys.Meta) {
			name, _, _ = strings.Cut(name, "/")
			found["meta "+name]++
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			t.Fatal(err)
		}
		if err := examples(found, iter.Key(), value); err != nil {
			t.Errorf("key %x: %v", iter.Key(), err)
		}
	}
	if err := iter.Close(); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{
		"m", "l", "c", "g", "t", "b", "p", "r", "meta version", "meta epoch", "meta flush", "meta owed", "meta log", "meta series", "meta consumer",
		"tomb", "tomb of retention", "touched", "outlived", "revisions", "expiry", "expiry of cells", "null latest",
		"entry 1", "entry 2", "entry 3", "entry 4", "flag 1", "flag 2", "flag 4", "flag 8", "unflushed",
	} {
		if found[what] == 0 {
			t.Errorf("no %q", what)
		}
	}
	t.Log(found)
}

// examples counts what a row is an example of.
func examples(found map[string]int, key, value []byte) error {
	note := func(what string, is bool) {
		if is {
			found[what]++
		}
	}
	switch key[0] {
	case keys.States:
		var s catalog.State
		if err := s.Parse(value); err != nil {
			return err
		}
		for _, h := range s.Tail.Hidden {
			note("tomb", !h.Expired)
			note("tomb of retention", h.Expired)
		}
		note("touched", s.Touched != 0)
		note("outlived", s.Tail.Outlived != 0)
		note("expiry", s.Tail.Expires != 0)
		note("revisions", s.Tail.Kept)
		for _, l := range s.Latest {
			note("null latest", l.Type == model.TypeNull)
		}
	case keys.RowGroups:
		k, err := rowgroup.ParseKey(key)
		if err != nil {
			return err
		}
		var r rowgroup.Reader
		if err := r.Reset(k, value); err != nil {
			return err
		}
		least, err := r.Expires()
		note("expiry of cells", least != 0)
		found["rows of the largest row group"] = max(found["rows of the largest row group"], r.Rows())
		return err
	case keys.Log:
		first, err := keys.ParseLog(key)
		if err != nil {
			return err
		}
		return entry.Each(first, value, func(p model.Position, b []byte) error {
			found["last position"] = int(p)
			note(fmt.Sprintf("entry %d", b[0]), true)
			for flag := byte(1); flag <= 8 && entry.Kind(b[0]) == entry.KindSet; flag <<= 1 {
				note(fmt.Sprintf("flag %d", flag), b[1]&flag != 0)
			}
			return nil
		})
	case keys.Meta:
		if string(key[1:]) == metaFlush {
			s, err := parseFlushState(value)
			note("unflushed", int(s.position) < found["last position"])
			return err
		}
	}
	return nil
}

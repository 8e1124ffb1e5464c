package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

// follow reads everything new and commits it; it returns the values of key a.
func follow(t *testing.T, c *Consumer) (values []int64) {
	t.Helper()
	reached, err := c.Follow(t.Context(), func(c *model.Change) error {
		for _, cell := range c.Cells {
			values = append(values, cell.Value.Int())
		}
		return nil
	})
	if err == nil {
		err = c.Commit(reached)
	}
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func consumer(t *testing.T, db *DB, name string) *Consumer {
	t.Helper()
	c, err := db.Consumer(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// number appends one point of key a.
func number(t *testing.T, db *DB, n int64) model.Position {
	t.Helper()
	return mustAppend(t, db, rows(1000*n, 1, 1, n, "a"))
}

func TestAConsumerGoesOnWhereItCommitted(t *testing.T) {
	disk := vfs.NewCrashableMem()
	db := openTest(t, Options{FS: disk})
	number(t, db, 1)
	c := consumer(t, db, "rules")
	number(t, db, 2)
	number(t, db, 3)
	if got := follow(t, c); fmt.Sprint(got) != "[2 3]" {
		t.Fatalf("a new consumer saw %v, want what came after it", got)
	}
	number(t, db, 4) // the cursor rides in its batch
	crashed := openTest(t, Options{FS: disk.CrashClone(vfs.CrashCloneCfg{})})
	if got := follow(t, consumer(t, crashed, "rules")); fmt.Sprint(got) != "[4]" {
		t.Errorf("after a crash: %v", got)
	}
	follow(t, c)
	number(t, db, 5)
	if got := follow(t, c); fmt.Sprint(got) != "[5]" { // written by Close alone
		t.Errorf("got %v", got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openTest(t, Options{FS: disk})
	if got := follow(t, consumer(t, db, "rules")); got != nil {
		t.Errorf("after a stop: %v again", got)
	}
}

func TestConsumersAreListedAndRemoved(t *testing.T) {
	disk := vfs.NewCrashableMem()
	db := openTest(t, Options{FS: disk, Limits: Limits{Consumers: 2}})
	b, a := consumer(t, db, "b"), consumer(t, db, strings.Repeat("a", 255))
	number(t, db, 1)
	follow(t, b)
	list := db.Stats().Consumers
	if len(list) != 2 || list[0].Name != a.Name() || list[0].Lag != 2 || list[1].Name != "b" || list[1].Lag != 0 {
		t.Errorf("%+v", list)
	}
	for name, kind := range map[string]model.Kind{"": model.Invalid, strings.Repeat("a", 256): model.Invalid, "c": model.Quota} {
		if _, err := db.Consumer(name); err == nil || model.KindOf(err) != kind {
			t.Errorf("consumer %.5q: %v", name, err)
		}
	}
	if err := b.Commit(db.Position() + 1); model.KindOf(err) != model.Invalid {
		t.Errorf("commit of the future: %v", err)
	}
	if err := b.Commit(1); err != nil { // backwards is nothing
		t.Error(err)
	}
	if p, err := b.Position(); err != nil || p != db.Position() {
		t.Errorf("at %d, %v", p, err)
	}
	if err := db.RemoveConsumer("b"); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{db.RemoveConsumer("b"), b.Commit(1), b.Wait(t.Context())} {
		if model.KindOf(err) != model.NotFound {
			t.Errorf("of a removed consumer: %v", err)
		}
	}
	number(t, db, 2)
	crashed := openTest(t, Options{FS: disk.CrashClone(vfs.CrashCloneCfg{})})
	if list := crashed.Consumers(); len(list) != 1 {
		t.Errorf("after a crash: %+v", list)
	}
}

// A clock is moved by the test, while the engine looks at it.
type clock struct{ ms atomic.Int64 }

func clockAt(ms int64) *clock {
	c := new(clock)
	c.ms.Store(ms)
	return c
}

func (c *clock) now() time.Time { return time.UnixMilli(c.ms.Load()) }

// logKept reports whether the log can be followed from p.
func logKept(t *testing.T, db *DB, p model.Position) bool {
	t.Helper()
	_, err := db.Follow(t.Context(), p, func(*model.Change) error { return nil })
	if err != nil && !errors.Is(err, ErrBehind) {
		t.Fatal(err)
	}
	return err == nil
}

func flush(t *testing.T, db *DB) {
	t.Helper()
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTheLogIsKeptForItsAgeItsBytesAndItsConsumers(t *testing.T) {
	c := clockAt(1_700_000_000_000)
	disk := vfs.NewMem()
	o := Options{FS: disk, Now: c.now, LogBytes: 1, LogAge: time.Minute}
	db := openTest(t, o)
	first := number(t, db, 1)
	step := func(ms int64) {
		c.ms.Add(ms)
		number(t, db, c.ms.Load()/1000)
		flush(t, db)
	}
	step(59_000)
	if !logKept(t, db, first-1) {
		t.Error("what is 59 s old is gone")
	}
	reader := consumer(t, db, "slow")
	at := db.Position()
	if err := db.Close(); err != nil { // the age of marks survives
		t.Fatal(err)
	}
	db = openTest(t, o)
	reader = consumer(t, db, reader.Name())
	step(2000)
	if logKept(t, db, first-1) {
		t.Error("what is 61 s old is kept")
	}
	for range 10 {
		step(60_000)
	}
	if !logKept(t, db, at) || logKept(t, db, at-2) {
		t.Error("what the consumer has not read is gone, or more is kept")
	}
	follow(t, reader)
	second := db.Position()
	c.ms.Add(61_000)
	number(t, db, 9)
	flush(t, db)
	if logKept(t, db, at) || !logKept(t, db, second) {
		t.Error("what the consumer has read is kept, or what it has not is gone")
	}
	o.LogBytes = 1 << 20
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openTest(t, o)
	kept := db.Stats().LogKept
	step(600_000)
	step(600_000)
	if db.Stats().LogKept <= kept || !logKept(t, db, second) {
		t.Error("the last mebibyte is not kept")
	}
}

// Who falls behind the bound is told once, with what it lost, and goes on.
func TestWhoFallsBehindTheBoundIsToldAndGoesOn(t *testing.T) {
	disk := vfs.NewCrashableMem()
	var told []BehindInfo
	o := Options{FS: disk, LogBytes: 1, LogAge: -1, LogMax: 40_000, Events: Events{Behind: func(b BehindInfo) { told = append(told, b) }}}
	db := openTest(t, o)
	c := consumer(t, db, "slow")
	from, err := c.Position()
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(20) {
		mustAppend(t, db, rows(1000*i, 1, 1000, i, "a"))
		flush(t, db)
	}
	s := db.Stats()
	if len(told) != 1 || told[0].Consumer != "slow" || told[0].From != from+1 || told[0].To <= from {
		t.Fatalf("told %+v", told)
	}
	if s.LogKept > 40_000+9000 || s.LogKept < 20_000 || len(s.Consumers) != 1 || !s.Consumers[0].Behind || s.Consumers[0].LagBytes == 0 {
		t.Errorf("%d bytes kept, %+v", s.LogKept, s.Consumers)
	}
	reached, err := c.Follow(t.Context(), func(*model.Change) error { t.Error("a change before the gap was told"); return nil })
	behind, ok := errors.AsType[*BehindError](err)
	if !ok || !errors.Is(err, ErrBehind) || model.Position(behind.First) != reached || behind.From != uint64(from) {
		t.Fatalf("reached %d: %v", reached, err)
	}
	last := reached
	n, err := c.Follow(t.Context(), func(c *model.Change) error {
		if c.Position != last+1 {
			t.Errorf("position %d after %d", c.Position, last)
		}
		last = c.Position
		return nil
	})
	if err != nil || n != db.Position() || last != n {
		t.Errorf("going on: %d of %d, %v", n, db.Position(), err)
	}
	if err := c.Commit(n); err != nil {
		t.Fatal(err)
	}
	// One that is behind when the store is opened was told already.
	for i := range int64(20) {
		mustAppend(t, db, rows(1000*i, 1, 1000, i, "a"))
		flush(t, db)
	}
	if len(told) != 2 || told[1].From != n+1 {
		t.Fatalf("told %+v", told)
	}
	o.FS = disk.CrashClone(vfs.CrashCloneCfg{})
	db = openTest(t, o)
	mustAppend(t, db, rows(0, 1, 1000, 1, "a"))
	flush(t, db)
	if len(told) != 2 {
		t.Errorf("told again after a restart: %+v", told)
	}
	// Without a flush and without a consumer the bound holds, too.
	for i := range int64(20) {
		mustAppend(t, db, rows(1000*i, 1, 1000, i, "a"))
	}
	if err := db.RemoveConsumer("slow"); err != nil {
		t.Fatal(err)
	}
}

// Waiting needs no polling, and ends with the position, the context, the store.
func TestWaitEndsWhenThereIsSomething(t *testing.T) {
	db := openTest(t, Options{})
	c := consumer(t, db, "c")
	const waiters = 5
	ended := make(chan error, waiters)
	waiting := func(n int32) {
		for db.bell.waiting.Load() != n {
			runtime.Gosched()
		}
	}
	for range waiters {
		go func() { ended <- c.Wait(t.Context()) }()
	}
	waiting(waiters)
	p := number(t, db, 1)
	for range waiters {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if err := db.Wait(t.Context(), p-1); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithCancel(t.Context())
	go func() { ended <- db.Wait(short, p) }()
	waiting(1)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	waiting(0)
	go func() { ended <- db.Wait(t.Context(), math.MaxInt64) }()
	waiting(1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestWhatBelongsToErasedEntitiesIsNotFollowed(t *testing.T) {
	db := openTest(t, Options{})
	c := consumer(t, db, "c")
	number(t, db, 1)
	if _, err := db.DeleteEntity(t.Context(), aTenant, aDevice); err != nil {
		t.Fatal(err)
	}
	number(t, db, 2)
	if got := follow(t, c); fmt.Sprint(got) != "[2]" {
		t.Errorf("followed %v", got)
	}
}

// Who follows later hears of a removal what was published at the time, also after a crash.
func TestAnErasureIsFollowedAsItWasPublished(t *testing.T) {
	disk, told := vfs.NewCrashableMem(), &sink{}
	db := openTest(t, Options{FS: disk, Changes: told})
	number(t, db, 1)
	s := rows(0, 1, 1, 1, "x", "y")
	s.Scope, s.Received = model.Client, 1
	s.Cells[1].Value = model.Null()
	mustAppend(t, db, s)
	if _, err := db.DeleteEntity(t.Context(), aTenant, aDevice); err != nil {
		t.Fatal(err)
	}
	want := told.changes[2:]
	if len(want) != 2 || len(want[0].Deleted) != 1 || len(want[1].Deleted) != 1 || want[1].Deleted[0].Key != "x" {
		t.Fatalf("published %+v", want)
	}
	for _, db := range []*DB{db, openTest(t, Options{FS: disk.CrashClone(vfs.CrashCloneCfg{})})} {
		var got []*model.Change
		if _, err := db.Follow(t.Context(), 0, func(c *model.Change) error { got = append(got, c); return nil }); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got, compareValues); diff != "" {
			t.Errorf("-published +followed:\n%s", diff)
		}
	}
}

// The entries of a tenant's removal name keys, so they take as many commit groups as there are
// names for.
func TestARemovalOfManyNamesIsFollowedWhole(t *testing.T) {
	db := openTest(t, Options{Limits: Limits{KeyBytes: 2000}})
	const devices, each = 5, 300
	for d := range byte(devices) {
		s := named(strings.Repeat("n", 1500), each)
		s.Entity = model.EntityID{d}
		mustAppend(t, db, s)
	}
	from, before := db.Position(), db.stats.syncs.Load()
	if err := db.DeleteTenant(t.Context(), aTenant); err != nil {
		t.Fatal(err)
	}
	lost := map[model.EntityID]int{}
	if _, err := db.Follow(t.Context(), from, func(c *model.Change) error { lost[c.Entity] += len(c.Deleted); return nil }); err != nil {
		t.Fatal(err)
	}
	for d := range byte(devices) {
		if n := lost[model.EntityID{d}]; n != each {
			t.Errorf("device %d lost %d keys", d, n)
		}
	}
	if n := db.stats.syncs.Load() - before; n != 2 || db.series.of(aTenant) != 0 {
		t.Errorf("removed in %d commit groups, %d series left", n, db.series.of(aTenant))
	}
	mustCheck(t, db)
}

// The row of the log comes back as it was, and nothing cut off is taken for it.
func TestTheRowOfTheLogComesBack(t *testing.T) {
	k := keeper{cut: mark{5, 100, -3}, marks: []mark{{9, 200, 50}, {20, 1 << 40, 40}}}
	b := k.append(nil, 20)
	var got keeper
	if err := got.parse(b); err != nil || got.cut != k.cut || fmt.Sprint(got.marks) != fmt.Sprint(k.marks) || got.total != 1<<40 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := got.parse(k.append(nil, 10)); err != nil || len(got.marks) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range b {
		if err := got.parse(b[:n]); err == nil && n != 24 && n != len(k.append(nil, 10)) {
			t.Errorf("%d of %d bytes are a row", n, len(b))
		}
	}
}

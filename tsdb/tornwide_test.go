package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A wide store has so many long keys and values that every keyspace takes several blocks.
const (
	wideDevices  = 32
	wideKeys     = 32
	wideInstants = 4
)

// wideKey returns a long key that does not pack.
func wideKey(k int) string {
	rng := rand.New(rand.NewPCG(uint64(k), 7))
	name := fmt.Sprintf("%02d-", k)
	for range 90 {
		name += string(rune('a' + rng.IntN(26)))
	}
	return name
}

var wideSets = sync.OnceValue(func() (all [wideDevices][2]*model.WriteSet) {
	for device := range all {
		for version := range all[device] {
			all[device][version] = makeWideSet(device, version)
		}
	}
	return all
})

func wideSet(device, version int) *model.WriteSet { return wideSets()[device][version] }

func makeWideSet(device, version int) *model.WriteSet {
	rng := rand.New(rand.NewPCG(uint64(device), uint64(version)))
	s := &model.WriteSet{Tenant: aTenant, Entity: model.EntityID{byte(device + 1)}, Scope: model.Timeseries, KeepOriginals: true}
	for k := range wideKeys {
		s.Keys = append(s.Keys, wideKey(k))
	}
	for i := range wideInstants {
		s.Rows = append(s.Rows, model.Row{TS: 1_700_000_000_000 + int64(i), Cells: wideKeys})
		for k := range wideKeys {
			text := make([]byte, 200)
			for b := range text {
				text[b] = byte('0' + rng.IntN(75))
			}
			s.Cells = append(s.Cells, model.Cell{Key: k, Value: model.String(string(text))})
		}
	}
	return s
}

// wideStore returns what makes copies of a store that was closed in order.
func wideStore(t *testing.T) (clone func() *vfs.MemFS) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	db, err := Open("db", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	for device := range wideDevices {
		mustAppend(t, db, wideSet(device, 0))
		mustAppend(t, db, wideSet(device, 1))
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Into few tables, so that little of other keyspaces is torn with the one that is meant.
	if err := errors.Join(db.store.Compact(t.Context(), []byte{0}, []byte{255}, false), db.Close()); err != nil {
		t.Fatal(err)
	}
	return func() *vfs.MemFS { return fs.CrashClone(vfs.CrashCloneCfg{}) }
}

// A wideQuery asks for something of every device and says of which it got all.
type wideQuery func(t *testing.T, ctx context.Context, db *DB) (answered map[model.EntityID]bool, err error)

var wideQueries = map[string]wideQuery{
	"latest columns": func(t *testing.T, ctx context.Context, db *DB) (map[model.EntityID]bool, error) {
		of := make([]model.ScopeKey, wideKeys)
		for k, name := range wideSet(0, 0).Keys {
			of[k] = model.ScopeKey{Scope: model.Timeseries, Key: name}
		}
		answered := map[model.EntityID]bool{}
		v, err := db.LatestColumns(ctx, aTenant, of)
		if v == nil {
			return answered, err
		}
		for row := range int32(v.Len()) {
			want := wideSet(int(v.Entity(row)[0])-1, 1)
			all := true
			for k := range of {
				p := v.Point(k, row)
				if p.Value.IsNone() {
					all = false
				} else if p.Value != want.Cells[(wideInstants-1)*wideKeys+k].Value {
					t.Fatalf("device %d has %v", row, p)
				}
			}
			answered[v.Entity(row)] = all
		}
		return answered, err
	},
	"forecast": func(_ *testing.T, ctx context.Context, db *DB) (map[model.EntityID]bool, error) {
		answered := map[model.EntityID]bool{}
		day := func(model.TenantID, model.EntityID, model.Scope, string) model.Keep {
			return model.Keep{Time: dayLength}
		}
		err := db.Forecast(ctx, aTenant, day, func(e model.EntityID, f model.Forecast) error {
			answered[e] = f.Points == wideKeys*wideInstants
			return nil
		})
		return answered, err
	},
	"revisions": func(t *testing.T, ctx context.Context, db *DB) (map[model.EntityID]bool, error) {
		answered := map[model.EntityID]bool{}
		var told model.DamageError
		for device := range wideDevices {
			const some = 6 // keys
			first, second := wideSet(device, 0), wideSet(device, 1)
			got := 0
			q := &model.RangeQuery{Tenant: aTenant, Entity: first.Entity, Scope: model.Timeseries, Keys: first.Keys[:some], To: 1 << 50}
			_, err := db.Revisions(ctx, q, func(key string, revisions []model.Revision) error {
				k := slices.Index(first.Keys, key)
				for _, r := range revisions {
					at := int(r.TS-first.Rows[0].TS)*wideKeys + k
					if r.Value != first.Cells[at].Value && r.Value != second.Cells[at].Value {
						t.Fatalf("device %d, %s at %d: %v", device, key, r.TS, r.Value)
					}
				}
				got += len(revisions)
				return nil
			})
			answered[first.Entity] = got == 2*some*wideInstants
			if damage, ok := errors.AsType[*model.DamageError](err); ok {
				told.Places = append(told.Places, damage.Places...)
			} else if err != nil {
				return answered, err
			}
		}
		if len(told.Places) > 0 {
			return answered, &told
		}
		return answered, nil
	},
}

// Whatever is damaged, what asks for much of a tenant answers for every entity that it can, and
// names the others. It has the damage mended, after which it answers for all that is left.
func TestATornBlockIsToldByTheQueriesOverManyEntities(t *testing.T) {
	clone := wideStore(t)
	middle := func(n, of int) bool { return of > 2 && n == of/2 } // small tables have meta rows, and little of the rest
	for name, c := range map[string]struct {
		space  byte
		query  string
		most   int // entities that lack something at first
		after  int // and once it is mended
		mended bool
	}{
		"columns, catalog":      {keys.Catalog, "latest columns", 0, 0, true}, // which the names of groups say as well
		"columns, states":       {keys.States, "latest columns", 20, 0, true},
		"columns, row groups":   {keys.RowGroups, "latest columns", 0, 0, false}, // it reads none
		"forecast, catalog":     {keys.Catalog, "forecast", 40, 0, true},
		"forecast, names":       {keys.Names, "forecast", 40, 0, true},
		"forecast, states":      {keys.States, "forecast", 20, 0, true},
		"forecast, row groups":  {keys.RowGroups, "forecast", 10, 10, false}, // stepped over
		"revisions, revisions":  {keys.Revisions, "revisions", 4, 4, true},
		"revisions, row groups": {keys.RowGroups, "revisions", 10, 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			fs := clone()
			if n := tear(t, fs, c.space, middle); n == 0 {
				t.Fatal("no block was struck")
			}
			db, err := Open("db", Options{FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			// Guards against waiting for ever; nothing is measured.
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			judge := func(most int) error {
				t.Helper()
				answered, err := wideQueries[c.query](t, ctx, db)
				told, ok := errors.AsType[*model.DamageError](err)
				if err != nil && !ok {
					t.Fatal(brief(err))
				}
				lacking := 0
				for device := range wideDevices {
					e := model.EntityID{byte(device + 1)}
					if answered[e] {
						continue
					}
					lacking++
					recorded := slices.ContainsFunc(db.Losses(), func(l model.Loss) bool { return l.Entity == e })
					if !recorded && (told == nil || told.Of(func(id model.EntityID) bool { return id == e }) == nil) {
						t.Errorf("device %d lacks something and is not told: %s", device, brief(err))
					}
				}
				if lacking > most {
					t.Errorf("%d entities lack something, want at most %d: %s", lacking, most, brief(err))
				}
				return err
			}
			if err := judge(c.most); err == nil && c.most > 0 {
				t.Error("nothing is told of damage")
			}
			if !c.mended {
				return
			}
			for db.damage.mends.Load() == 0 && ctx.Err() == nil {
				runtime.Gosched()
			}
			for err := errMended; err != nil && ctx.Err() == nil; {
				err = judge(max(c.most, c.after))
			}
			if err := judge(c.after); err != nil {
				t.Errorf("once it is mended: %s", brief(err))
			}
			if lost := db.Losses(); c.after > 0 && len(lost) == 0 {
				t.Error("no loss is recorded")
			}
			mustCheck(t, db)
		})
	}
}

// brief words an error without the long keys in it.
func brief(err error) string {
	text := fmt.Sprint(err)
	return text[max(0, len(text)-200):]
}

// Of a tenant whose catalog is damaged, nobody is forgotten: the removal says what is in its
// way, has it mended, and takes everything when it is tried again.
func TestATornCatalogDoesNotKeepATenantFromBeingDeleted(t *testing.T) {
	fs := wideStore(t)()
	if tear(t, fs, keys.Catalog, func(n, of int) bool { return of > 2 && n == of/2 }) == 0 {
		t.Fatal("no block was struck")
	}
	db, err := Open("db", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // a guard
	defer cancel()
	err = db.DeleteTenant(ctx, aTenant)
	told, ok := errors.AsType[*model.DamageError](err)
	mended := db.damage.mends.Load() > 0 // before or while it was asked: then nobody is named
	if !ok || len(told.Places) == 0 || told.Places[0].Tenant != aTenant || !mended && told.Places[0].Entity == (model.EntityID{}) || model.KindOf(err) != model.Damaged {
		t.Fatalf("over a damaged catalog: %s", brief(err))
	}
	for err != nil && ctx.Err() == nil {
		if err = db.DeleteTenant(ctx, aTenant); err != nil && model.KindOf(err) != model.Damaged {
			t.Fatal(brief(err))
		}
	}
	if err := db.Flush(ctx); err != nil {
		t.Fatal(brief(err))
	}
	if r := mustCheck(t, db); r.Points != 0 || r.Columns != 0 {
		t.Errorf("%d points of %d series are left", r.Points, r.Columns)
	}
}

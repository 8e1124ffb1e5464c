package tsdb

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// tornDevices is how many devices a torn store has, each of two keys. The first one has many
// row groups.
const tornDevices = 24

func tornSet(device int) *model.WriteSet {
	n := 800
	if device == 0 {
		n = 9000
	}
	s := rows(1_700_000_000_000, 1000, n, int64(device), "a", "b")
	s.Entity = model.EntityID{byte(device + 1)}
	rng := rand.New(rand.NewPCG(uint64(device), 3))
	for i := range s.Cells {
		s.Cells[i].Value = model.Float(rng.NormFloat64()) // does not pack
	}
	return s
}

// tornStore returns a store that was closed in order.
func tornStore(t *testing.T) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	fillTorn(t, fs)
	return fs
}

// fillTorn makes a torn store on fs.
func fillTorn(t *testing.T, fs *vfs.MemFS) {
	t.Helper()
	db, err := Open("db", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	for i := range tornDevices {
		mustAppend(t, db, tornSet(i))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// tear flips a byte in every block that may hold a key of space; choose picks among them.
func tear(t *testing.T, fs *vfs.MemFS, space byte, choose func(n, of int) bool) (torn int) {
	t.Helper()
	names, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		name = path.Join("db", name)
		r, err := openTable(fs, name)
		if err != nil {
			t.Fatal(err)
		}
		layout, err := r.Layout()
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := tableBlocks(r, layout.Index)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		blocks = slices.DeleteFunc(blocks, func(b tableBlock) bool {
			return bytes.Compare(b.end, []byte{space}) <= 0 || bytes.Compare(b.start, []byte{space + 1}) >= 0
		})
		for i, b := range blocks {
			if choose(i, len(blocks)) {
				flip(t, fs, name, int64(b.handle.Offset+b.handle.Length/2))
				torn++
			}
		}
	}
	return torn
}

func flip(t *testing.T, fs vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	flipIn(t, f, at)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// flipIn flips a bit of a file that is open, which may be one that has no name any more.
func flipIn(t *testing.T, f vfs.File, at int64) {
	t.Helper()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x40
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

// judgeTorn reads every device and reports how many lack something. Nothing may be lacking
// that is not told, and nothing wrong.
func judgeTorn(t *testing.T, db *DB) (lacking int) {
	t.Helper()
	for i := range tornDevices {
		want := tornSet(i)
		for _, down := range []bool{false, true} {
			q := &model.RangeQuery{Tenant: want.Tenant, Entity: want.Entity, Scope: model.Timeseries, Keys: []string{"b"}, From: 0, To: 1 << 50, Descending: down}
			got := map[int64]model.Value{}
			_, err := db.Raw(t.Context(), q, func(_ string, points []model.Point) error {
				for _, p := range points {
					got[p.TS] = p.Value
				}
				return nil
			})
			told, ok := errors.AsType[*model.DamageError](err)
			if err != nil && !ok {
				t.Fatalf("device %d: %v", i, err)
			}
			missing := 0
			for r, row := range want.Rows {
				v, ok := got[row.TS]
				if ok && v != want.Cells[2*r+1].Value {
					t.Fatalf("device %d at %d: %#v", i, row.TS, v)
				}
				if ok {
					continue
				}
				missing++
				if told == nil || !slices.ContainsFunc(told.Places, func(d model.Damage) bool {
					return d.Entity == want.Entity && d.From <= row.TS && row.TS < d.To && (d.Keys == nil || slices.Contains(d.Keys, "b"))
				}) {
					t.Fatalf("device %d at %d is missing and not told: %v", i, row.TS, err)
				}
			}
			if missing > 0 && !down {
				lacking++
			}
		}
	}
	return lacking
}

// A block of one keyspace is damaged: the queries that need it say so, all others answer.
func TestATornBlockIsToldByTheQueriesThatNeedIt(t *testing.T) {
	for name, c := range map[string]struct {
		space     byte
		choose    func(n, of int) bool
		min, most int // devices that lack something
	}{
		"a block of row groups":    {keys.RowGroups, func(n, of int) bool { return n == of/2 }, 1, 10},
		"two blocks of row groups": {keys.RowGroups, func(n, of int) bool { return n == 2 || n == of-3 }, 2, 20},
		"the last block":           {keys.RowGroups, func(n, of int) bool { return n == of-2 }, 1, 10}, // but for the one it shares
		"every third block":        {keys.RowGroups, func(n, of int) bool { return n%3 == 0 }, tornDevices / 5, tornDevices},
	} {
		t.Run(name, func(t *testing.T) {
			fs := tornStore(t)
			if n := tear(t, fs, c.space, c.choose); n == 0 {
				t.Fatal("no block was struck")
			}
			db, err := Open("db", Options{FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			lacking := judgeTorn(t, db)
			if lacking < c.min || lacking > c.most {
				t.Errorf("%d devices lack something, want %d to %d", lacking, c.min, c.most)
			}
		})
	}
}

// Check names every place by entity, keys and time, whatever keyspace is damaged, and changes
// nothing.
func TestCheckNamesWhatIsDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		space  byte
		choose func(n, of int) bool
		want   string
	}{
		"sound":             {keys.RowGroups, func(int, int) bool { return false }, ""},
		"row groups":        {keys.RowGroups, func(n, of int) bool { return n == of/2 }, "tenant " + aTenant.String() + ": a, b of entity"},
		"all row groups":    {keys.RowGroups, func(n, of int) bool { return n < of-1 }, "and "},
		"names and catalog": {keys.Names, func(n, _ int) bool { return n == 0 }, "the list of keys from entity"},
		"meta and states":   {keys.Meta, func(n, of int) bool { return n == of-1 }, "format version"},
		"log":               {keys.Log, func(n, of int) bool { return n == of/2 }, "the log from position"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := tornStore(t)
			torn := tear(t, fs, c.space, c.choose)
			files := func() string {
				names, err := fs.List("db")
				if err != nil {
					t.Fatal(err)
				}
				slices.Sort(names)
				return strings.Join(names, " ")
			}
			before := files()
			entities := 0
			var told []error
			o := Options{FS: fs, Events: Events{Damaged: func(err error) { told = append(told, err) }}}
			_, err := CheckDir(t.Context(), "db", o, func(model.TenantID, model.EntityID) { entities++ })
			if files() != before {
				t.Errorf("files %s\nwere  %s", files(), before)
			}
			if c.want == "" {
				if err != nil || entities != tornDevices {
					t.Errorf("%d entities, %v", entities, err)
				}
				return
			}
			if name == "all row groups" { // the error has the first, the event all
				entities := map[model.EntityID]bool{}
				for _, one := range told {
					if d, ok := errors.AsType[*model.DamageError](one); ok {
						entities[d.Places[0].Entity] = true
					}
				}
				if len(entities) <= maxProblems {
					t.Errorf("%d damaged entities are told, %d are returned", len(entities), maxProblems)
				}
			}
			if torn == 0 || len(told) == 0 && c.space != keys.Meta || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d blocks torn: %v", torn, err)
			}
		})
	}
}

package tsdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// CheckDir verifies the store in dir, which nobody has open, without changing a byte of it: it
// may lie where nothing can be written. It looks at what is in row groups; what is only in
// the log is read, not applied. It calls entity, which may be nil, with every entity that has
// series. Damage is ErrCorrupt: Events.Damaged is told every place of it as it is found, with a
// [model.DamageError] inside where it is known whose it is; the error names the first of them. Where there is no store the error is os.ErrNotExist.
func CheckDir(ctx context.Context, dir string, o Options, entity func(model.TenantID, model.EntityID)) (_ Report, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return Report{}, err
	}
	if _, err := o.FS.Stat(dir); err != nil {
		return Report{}, err
	}
	if err := unfinished(o.FS, dir); err != nil {
		return Report{}, err
	}
	defer func() { err = corrupt(err) }()
	o.FS, o.readOnly = unwritable{o.FS}, true
	damage := newDamages(o.FS, Events{})
	store, unlock, err := openStore(dir, o, new(atomic.Bool), signals{}, func(error) {}, damage, newFailures(&o))
	if errors.Is(err, pebble.ErrDBDoesNotExist) {
		return Report{}, fmt.Errorf("there is no store in %s: %w", dir, os.ErrNotExist)
	}
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, store.Close(), unlock()) }()
	none := func(*pebble.Batch, *pebble.WriteOptions) error { return fmt.Errorf("%w: no store", ErrCorrupt) }
	if _, _, err := loadMeta(store, zeros{}, none); err != nil {
		return Report{}, fmt.Errorf("check %s: %w", dir, err)
	}
	c := checker{ctx: ctx, store: store, damage: damage, entity: entity, tell: o.Events.Damaged, groups: map[uint64]*checkedGroup{}}
	err = errors.Join(c.run(), c.checkLog())
	return c.report, c.all(err)
}

// checkLog reads every entry of the log that is still there.
func (c *checker) checkLog() error {
	return c.each(keys.Log, func(key, value []byte) error {
		first, err := keys.ParseLog(key)
		if err == nil {
			err = entry.Each(first, value, func(model.Position, []byte) error { return nil })
		}
		if err != nil {
			c.problem("log at %x: %w", key, err)
		}
		return nil
	})
}

// An unwritable file system has no locks where it cannot make the file for one: then nobody
// else can write either.
type unwritable struct{ vfs.FS }

// Lock implements vfs.FS.
func (u unwritable) Lock(name string) (io.Closer, error) {
	lock, err := u.FS.Lock(name)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return io.NopCloser(nil), nil
	}
	return lock, err
}

// MkdirAll implements vfs.FS: what is checked is there.
func (unwritable) MkdirAll(string, os.FileMode) error { return nil }

// lost reports what may have stood in a damaged span of a keyspace.
func (c *checker) lost(space byte, span keySpan, cause error) error {
	c.torn = true
	cause = fmt.Errorf("%w: %w", ErrCorrupt, cause)
	switch space {
	case keys.RowGroups, keys.Pages:
		lo, hi := blockAt(span.start, space), blockAt(span.end, space)
		for _, number := range c.sorted() {
			if lo.Partition == hi.Partition && (number < lo.Group || number > hi.Group) {
				continue
			}
			if from, to, ok := span.instants(space, number); ok {
				to, err := reach(c.store, number, to, c.damage)
				if err != nil {
					return err
				}
				c.place(number, from, to, cause)
			}
		}
	case keys.States, keys.Names, keys.Revisions:
		lo, hi := groupAt(span.start, space), groupAt(span.end, space)
		for _, number := range c.sorted() {
			if lo <= number && number <= hi {
				c.place(number, math.MinInt64, math.MaxInt64, cause)
			}
		}
	case keys.Catalog:
		found := false
		for _, number := range c.sorted() { // whose names say what the catalog did
			n := &c.groups[number].names
			if slices.ContainsFunc(n.Columns, func(name string) bool { return span.holds(keys.AppendCatalog(nil, n.Series, name)) }) {
				c.place(number, math.MinInt64, math.MaxInt64, cause)
				found = true
			}
		}
		if !found {
			lo, hi := seriesAt(span.start), seriesAt(span.end)
			c.problem("the list of keys from entity %s of tenant %s to entity %s of tenant %s: %w", lo.Entity, lo.Tenant, hi.Entity, hi.Tenant, cause)
		}
	case keys.Log:
		c.problem("the log from position %d to %d, of all tenants: what was not in row groups yet, and what consumers have not read: %w",
			groupAt(span.start, space), groupAt(span.end, space), cause)
	default:
		c.problem("rows of the store itself, from %q to %q: %w", nameAt(span.start, space), nameAt(span.end, space), cause)
	}
	return nil
}

// seriesAt reads the series a bound of a span stands for.
func seriesAt(key []byte) (s keys.Series) {
	full := keys.AppendSeries(nil, keys.Series{})
	switch {
	case len(key) > 0 && key[0] > keys.Catalog:
		for i := range full[1:] {
			full[1+i] = 0xff
		}
	case len(key) > 0 && key[0] == keys.Catalog:
		copy(full, key)
	}
	copy(s.Tenant[:], full[1:])
	copy(s.Entity[:], full[1+len(s.Tenant):])
	return s
}

// nameAt reads the name a bound of a span stands for.
func nameAt(key []byte, space byte) string {
	if len(key) == 0 || key[0] != space {
		return ""
	}
	return string(key[1:])
}

// reach returns where row groups of a group end that start before an instant, of which the last
// cannot be read.
func reach(r pebble.Reader, group uint64, to int64, d *damages) (_ int64, err error) {
	c, err := newCursor(r, scan.RowGroups, group, d)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return scan.Reach(c, to)
}

// place reports damage to the points of a group.
func (c *checker) place(number uint64, from, to int64, cause error) {
	g := c.groups[number]
	g.torn = true
	c.add(placeError{&model.DamageError{Places: []model.Damage{{
		Tenant: g.names.Series.Tenant, Entity: g.names.Series.Entity, Scope: g.names.Series.Scope,
		Keys: slices.Sorted(slices.Values(g.names.Columns)), From: from, To: to, Cause: cause,
	}}}})
}

// A placeError is a DamageError in words for whoever runs the store.
type placeError struct{ *model.DamageError }

func (e placeError) Error() string { return "damaged on disk: " + e.Places[0].Operator() }
func (e placeError) Unwrap() error { return e.DamageError }

func (c *checker) sorted() []uint64 {
	all := make([]uint64, 0, len(c.groups))
	for number := range c.groups {
		all = append(all, number)
	}
	slices.Sort(all)
	return all
}

// groupAt reads the group a bound of a span stands for.
func groupAt(key []byte, space byte) uint64 {
	switch {
	case len(key) == 0 || key[0] < space:
		return 0
	case key[0] > space:
		return math.MaxUint64
	}
	full := make([]byte, 9)
	copy(full, key)
	n := uint64(0)
	for _, b := range full[1:] {
		n = n<<8 | uint64(b)
	}
	return n
}

// rowGroupEnd bounds where a damaged row group may end.
func rowGroupEnd(k rowgroup.Key) int64 { return partitionStart(k.Partition + 1) }

// zeros is what a store would be named with that must not be made.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

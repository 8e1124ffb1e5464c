package tsdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// A workload is a fixed list of acts, and what the store must hold after each of them. Power
// is cut, and calls fail, at every point of it. There is one for each thing that changes the
// store in a way of its own; each file adds its own, short ones:
//
//	var _ = workloads.add("erase", func(w *workload) { ... })
//
// Every act is done again when it failed, so doing it twice must be like doing it once.
type workload struct {
	name    string
	acts    []act
	scopes  []twinScope // what is looked at, with keys: raw and latest
	keys    []string
	looks   []look // what else is
	options func(*Options)
	states  []string // states[i] is the contents after i acts
}

// An act changes a DB, and the twin likewise where it changes what is stored.
type act struct {
	name   string
	do     func(context.Context, *DB) error // nil: close and open again
	change func(*twin)                      // nil: nothing changes
	// physical: it drops what nobody has a claim to any more, without an entry of the log, so
	// that it may have been done although it failed.
	physical bool
}

// A look is something that can be seen of a store, as text: of the DB and of the twin.
type look struct {
	db   func(context.Context, *DB) (string, error)
	twin func(*twin) string
}

// workloads are all there are.
var workloads = workloadTable{&[]*workload{}}

type workloadTable struct{ list *[]*workload }

func (t workloadTable) add(name string, build func(*workload)) struct{} {
	w := &workload{
		name: name, keys: []string{"a", "b", "text", "other"},
		scopes: []twinScope{{aTenant, aDevice, model.Timeseries}, {aTenant, anotherDevice, model.Server}},
	}
	build(w)
	w.reopen()
	twin := newTwin()
	w.states = append(w.states, w.contentsOfTwin(twin))
	for _, a := range w.acts {
		if a.change != nil {
			a.change(twin)
		}
		w.states = append(w.states, w.contentsOfTwin(twin))
	}
	at, _ := slices.BinarySearchFunc(*t.list, w, func(a, b *workload) int { return strings.Compare(a.name, b.name) })
	*t.list = slices.Insert(*t.list, at, w)
	return struct{}{}
}

var anotherDevice = model.EntityID{9}

// tune returns o as the workload wants it.
func (w *workload) tune(o Options) Options {
	o.tuning.retry = 1
	if w.options != nil {
		w.options(&o)
	}
	return o
}

func (w *workload) reopen() { w.acts = append(w.acts, act{name: "reopen"}) }

func (w *workload) append(name string, s *model.WriteSet) {
	w.acts = append(w.acts, act{
		name:   name,
		do:     func(ctx context.Context, db *DB) error { _, err := db.Append(ctx, s); return err },
		change: func(t *twin) { t.append(s) },
	})
}

func (w *workload) delete(name string, d model.DeleteRange) {
	d.Tenant, d.Entity, d.Scope = aTenant, aDevice, model.Timeseries
	w.acts = append(w.acts, act{
		name:   name,
		do:     func(ctx context.Context, db *DB) error { _, err := db.Delete(ctx, d); return err },
		change: func(t *twin) { t.delete(&d) },
	})
}

func (w *workload) flush() {
	w.acts = append(w.acts, act{name: "flush", do: func(ctx context.Context, db *DB) error { return db.Flush(ctx) }})
}

func (w *workload) contentsOfTwin(t *twin) string {
	var b strings.Builder
	for _, s := range w.scopes {
		fmt.Fprintf(&b, "%d %v\n", s.scope, t.latest(s))
		for _, key := range w.keys {
			for _, p := range t.raw(s, key, 0, 1<<50, 0, false) {
				fmt.Fprintf(&b, "%s %v\n", key, p)
			}
		}
	}
	for _, l := range w.looks {
		b.WriteString(l.twin(t))
	}
	return b.String()
}

func (w *workload) contentsOf(ctx context.Context, db *DB) (string, error) {
	var b strings.Builder
	for _, s := range w.scopes {
		latest, err := db.Latest(ctx, s.tenant, s.entity, s.scope, nil)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%d %v\n", s.scope, latest.Points)
		q := &model.RangeQuery{Tenant: s.tenant, Entity: s.entity, Scope: s.scope, Keys: w.keys, From: 0, To: 1 << 50}
		if _, err := db.Raw(ctx, q, func(key string, points []model.Point) error {
			for _, p := range points {
				fmt.Fprintf(&b, "%s %v\n", key, p)
			}
			return nil
		}); err != nil {
			return "", err
		}
	}
	for _, l := range w.looks {
		seen, err := l.db(ctx, db)
		if err != nil {
			return "", err
		}
		b.WriteString(seen)
	}
	return b.String(), nil
}

// run does the acts one after the other; before and after are called around each.
func (w *workload) run(ctx context.Context, o Options, before, after func(i int)) error {
	db, err := Open("db", o)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	for i, a := range w.acts {
		before(i)
		if a.do != nil {
			err = a.do(ctx, db)
		} else if err = db.Close(); err == nil {
			db, err = Open("db", o)
		}
		if err != nil {
			return fmt.Errorf("act %d, %s: %w", i, a.name, errors.Join(err, db.Close()))
		}
		after(i)
	}
	return db.Close()
}

// holds reports whether contents are those after some number of acts from lo to hi.
func (w *workload) holds(contents string, lo, hi int64) error {
	for k := lo; k <= hi; k++ {
		if w.states[k] == contents {
			return nil
		}
	}
	for k, s := range w.states {
		if s == contents {
			return fmt.Errorf("holds what was there after %d acts; %d were acknowledged, %d begun", k, lo, hi)
		}
	}
	return fmt.Errorf("holds what was never there; %d acts were acknowledged, %d begun", lo, hi)
}

package tsdb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// A workload is a fixed list of acts that meets every way in which the store changes, and
// what it must hold after each of them.
type workload struct {
	acts   []act
	states []string // states[i] is the contents after i acts
}

// An act changes a DB, and the twin likewise where it changes what is stored.
type act struct {
	name   string
	do     func(context.Context, *DB) error // nil: close and open again
	change func(*twin)                      // nil: nothing changes
}

var workloadKeys = []string{"a", "b", "text", "other"}

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

func newWorkload() *workload {
	const start = int64(1_700_000_000_000)
	w := &workload{}
	text := func(ts int64, n int, value string) *model.WriteSet {
		s := rows(ts, 1000, n, 1, "text")
		for i := range s.Cells {
			s.Cells[i].Value = model.String(fmt.Sprint(value, i))
		}
		return s
	}
	other := model.EntityID{9}
	for i := range 3 {
		w.append("in order", rows(start+int64(i)*30_000, 1000, 30, int64(i), "a", "b"))
	}
	w.append("new key", text(start, 20, strings.Repeat("x", 100)))
	w.flush()
	w.append("late", rows(start-50_000, 1000, 10, 7, "a"))
	w.append("correction", rows(start+5000, 1000, 40, 900, "b"))
	w.flush()
	w.delete("delete the newest", model.DeleteRange{Keys: []string{"b"}, From: start + 60_000, To: start + 200_000, RewriteLatest: true})
	w.append("of another", &model.WriteSet{
		Tenant: aTenant, Entity: other, Scope: model.Server, Received: start, Keys: []string{"a", "other"},
		Rows: []model.Row{{Cells: 2}}, Cells: []model.Cell{{Key: 0, Value: model.Bool(true)}, {Key: 1, Value: model.JSON(`{"x":1}`)}},
	})
	w.flush()
	for i := range 18 { // the sixteenth joins
		w.append("small", rows(start+100_000+int64(i)*10_000, 1000, 9, int64(i), "a", "b"))
		w.flush()
	}
	w.append("large", rows(start+400_000, 1000, 1100, 5, "a", "b"))
	w.flush()
	w.append("correction of sealed", rows(start+500_000, 500, 300, -5, "a"))
	w.delete("delete in sealed", model.DeleteRange{From: start + 600_000, To: start + 700_000})
	w.flush()
	w.append("of the next partition", rows(start+40*24*3600_000, 1000, 20, 3, "a", "b", "text"))
	w.acts = append(w.acts, act{name: "reopen"})
	w.append("in order", rows(start+41*24*3600_000, 1000, 20, 4, "a", "b"))
	w.acts = append(w.acts, act{
		name:   "erase another",
		do:     func(ctx context.Context, db *DB) error { _, err := db.DeleteEntity(ctx, aTenant, other); return err },
		change: func(t *twin) { t.erase(aTenant, other) },
	})
	w.append("in order", rows(start+41*24*3600_000+20_000, 1000, 20, 4, "a", "other"))
	w.acts = append(w.acts, act{name: "reopen"})

	twin := newTwin()
	w.states = append(w.states, contentsOfTwin(twin))
	for _, a := range w.acts {
		if a.change != nil {
			a.change(twin)
		}
		w.states = append(w.states, contentsOfTwin(twin))
	}
	return w
}

func workloadScopes() []twinScope {
	return []twinScope{{aTenant, aDevice, model.Timeseries}, {aTenant, model.EntityID{9}, model.Server}}
}

func contentsOfTwin(w *twin) string {
	var b strings.Builder
	for _, s := range workloadScopes() {
		fmt.Fprintf(&b, "%d %v\n", s.scope, w.latest(s))
		for _, key := range workloadKeys {
			for _, p := range w.raw(s, key, 0, 1<<50, 0, false) {
				fmt.Fprintf(&b, "%s %v\n", key, p)
			}
		}
	}
	return b.String()
}

func contentsOf(ctx context.Context, db *DB) (string, error) {
	var b strings.Builder
	for _, s := range workloadScopes() {
		latest, err := db.Latest(ctx, s.tenant, s.entity, s.scope, nil)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%d %v\n", s.scope, latest.Points)
		q := &model.RangeQuery{Tenant: s.tenant, Entity: s.entity, Scope: s.scope, Keys: workloadKeys, From: 0, To: 1 << 50}
		if _, err := db.Raw(ctx, q, func(key string, points []model.Point) error {
			for _, p := range points {
				fmt.Fprintf(&b, "%s %v\n", key, p)
			}
			return nil
		}); err != nil {
			return "", err
		}
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

package tsdb

import (
	"fmt"
	"slices"
	"strings"
)

// An operation is one thing a random history may do: to the DB and to its twin, comparing
// what they say. Whatever the engine can do has an operation; each file adds its own:
//
//	var _ = operations.add(operation{"compact", 2, (*harness).compact})
//
// It draws all randomness from h.rng, which is seeded by the history and the number of the
// step, so a step does the same when others around it are left out; it tells by h.note what
// it drew; and it reports by h.Fatalf.
type operation struct {
	name   string
	weight int // how often, beside the others
	do     func(h *harness)
}

// operations are all there are.
var operations = operationTable{list: &[]operation{}}

type operationTable struct{ list *[]operation }

func (t operationTable) add(o operation) struct{} {
	if o.name == "" || o.weight < 1 || o.do == nil || slices.ContainsFunc(*t.list, func(x operation) bool { return x.name == o.name }) {
		panic(fmt.Sprintf("operation %q stands twice, or is incomplete", o.name))
	}
	at, _ := slices.BinarySearchFunc(*t.list, o, func(a, b operation) int { return strings.Compare(a.name, b.name) })
	*t.list = slices.Insert(*t.list, at, o) // sorted: the order of files means nothing
	return struct{}{}
}

// pick returns an operation, each as often as its weight.
func (t operationTable) pick(intN func(int) int) operation {
	sum := 0
	for _, o := range *t.list {
		sum += o.weight
	}
	n := intN(sum)
	for _, o := range *t.list {
		if n < o.weight {
			return o
		}
		n -= o.weight
	}
	panic("no operations")
}

var (
	_ = operations.add(operation{"append", 60, func(h *harness) { h.append(h.script.set()) }})
	_ = operations.add(operation{"delete", 6, (*harness).deleteSome})
	_ = operations.add(operation{"delete entity", 2, (*harness).deleteEntity})
	_ = operations.add(operation{"flush", 7, (*harness).flush})
	_ = operations.add(operation{"freeze", 4, (*harness).freeze})
	_ = operations.add(operation{"restart", 2, (*harness).restart})
	_ = operations.add(operation{"crash", 2, (*harness).crash})
	_ = operations.add(operation{"latest", 8, func(h *harness) { h.compareLatest(h.script.scope()) }})
	_ = operations.add(operation{"history", 9, func(h *harness) { h.compareHistory(h.script.scope(), h.script.key()) }})
)

// comparisons are what is compared of every series at the end of a history; files add theirs.
var comparisons []func(h *harness)

func addComparison(compare func(h *harness)) struct{} {
	comparisons = append(comparisons, compare)
	return struct{}{}
}

var (
	_ = addComparison((*harness).compareAll)
	_ = addComparison((*harness).compareLog)
)

func (h *harness) deleteSome() {
	h.Helper()
	d := h.script.delete()
	h.note("delete %q of %v, [%d,%d), keep latest %v, rewrite %v", d.Keys, d.Entity[:1], d.From, d.To, d.KeepLatest, d.RewriteLatest)
	if _, err := h.db.Delete(h.Context(), d); err != nil {
		h.Fatalf("delete: %v", err)
	}
	h.twin.delete(&d)
	for _, key := range append(d.Keys, h.script.key()) {
		h.compareHistory(twinScope{d.Tenant, d.Entity, d.Scope}, key)
	}
}

func (h *harness) deleteEntity() {
	h.Helper()
	tenant, entity := h.script.entity()
	h.note("delete entity %v of tenant %v", entity[:1], tenant[:1])
	p, err := h.db.DeleteEntity(h.Context(), tenant, entity)
	if err != nil {
		h.Fatalf("delete entity: %v", err)
	}
	var lost []string
	for _, scope := range scopes {
		for _, k := range h.twin.latest(twinScope{tenant, entity, scope}) {
			lost = append(lost, fmt.Sprint(scope, " ", k.Key))
		}
	}
	if slices.Sort(lost); len(lost) > 0 {
		h.erasures[p] = lost
	}
	h.twin.erase(tenant, entity)
}

func (h *harness) flush() {
	h.Helper()
	h.note("flush")
	if err := h.db.Flush(h.Context()); err != nil {
		h.Fatalf("flush: %v", err)
	}
}

// freeze leaves a flush half done: the next one writes what is frozen first.
func (h *harness) freeze() {
	h.note("freeze")
	f := h.db.flusher
	f.run.Lock()
	defer f.run.Unlock()
	if f.run.frozen == nil {
		f.run.frozen = h.db.freeze(f.run.state)
	}
	h.db.recheck()
}

// restart stops and starts in order.
func (h *harness) restart() {
	h.Helper()
	h.note("restart")
	h.close()
	h.open()
	if r := h.check(); r.MaxUnsealed > 1 {
		h.Fatalf("%d unsealed row groups of one group after a clean stop", r.MaxUnsealed)
	}
}

package tsdb

import (
	"cmp"
	"errors"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

// A readerTwin is the naive picture of the one consumer of a script: where it is.
type readerTwin struct {
	there    bool
	position model.Position // committed
}

var _ = operations.add(operation{"consume", 4, (*harness).consume})

const scriptConsumer = "script"

// consume lets the consumer of the script do something: begin, read, commit, leave.
func (h *harness) consume() {
	h.Helper()
	rng := h.rng
	c, err := h.db.Consumer(scriptConsumer)
	if err != nil {
		h.Fatalf("consumer: %v", err)
	}
	at, err := c.Position()
	if err != nil {
		h.Fatalf("position of the consumer: %v", err)
	}
	if !h.reader.there {
		h.reader = readerTwin{true, h.db.Position()}
	}
	if at != h.reader.position {
		h.Fatalf("the consumer is at %d, was left at %d", at, h.reader.position)
	}
	h.note("consume from %d", at)
	if rng.IntN(10) == 0 {
		if err := h.db.RemoveConsumer(scriptConsumer); err != nil {
			h.Fatalf("remove the consumer: %v", err)
		}
		h.reader = readerTwin{}
		return
	}
	first := at
	reached, err := c.Follow(h.Context(), func(change *model.Change) error {
		h.sameChange(change)
		if change.Position <= first {
			h.Fatalf("position %d to a consumer at %d", change.Position, first)
		}
		return nil
	})
	if behind, ok := errors.AsType[*BehindError](err); ok {
		if model.Position(behind.First) != reached || model.Position(behind.From) != at || reached <= at {
			h.Fatalf("a consumer at %d reached %d: %v", at, reached, err)
		}
		h.reader.position = reached // it goes on from there
		if reached, err = c.Follow(h.Context(), func(*model.Change) error { return nil }); err != nil {
			h.Fatalf("going on after being behind: %v", err)
		}
	} else if err != nil || reached != h.db.Position() {
		h.Fatalf("the consumer reached %d: %v", reached, err)
	}
	if rng.IntN(3) > 0 {
		to := reached - model.Position(rng.IntN(2))*(reached-h.reader.position)/2
		if err := c.Commit(to); err != nil {
			h.Fatalf("commit %d: %v", to, err)
		}
		h.reader.position = max(to, h.reader.position)
	}
}

// readerCrashed looks where the consumer is after a crash: at a place it had committed or an
// earlier one, and never before the log without being told of it.
func (h *harness) readerCrashed() {
	h.Helper()
	for _, c := range h.db.Consumers() {
		if !h.reader.there || c.Position > h.reader.position {
			h.Fatalf("after a crash the consumer is at %d, it had committed %+v", c.Position, h.reader)
		}
		if first := h.db.flusher.run.state.logFirst; c.Position+1 < first && h.reader.position+1 >= first {
			h.Fatalf("after a crash the consumer is at %d, the log begins at %d, it had committed %d", c.Position, first, h.reader.position)
		}
		h.reader.position = c.Position
	}
	if len(h.db.Consumers()) == 0 && h.reader.there {
		h.Fatalf("the consumer is gone after a crash")
	}
}

// sameChange compares a change with what was appended at its position.
func (h *harness) sameChange(c *model.Change) {
	h.Helper()
	if len(c.Rows) == 0 {
		return
	}
	var cells []twinCell
	at := 0
	for _, r := range c.Rows {
		for k := at; k < at+r.Cells; k++ {
			cells = append(cells, twinCell{c.Keys[c.Cells[k].Key], model.Point{TS: r.TS, Value: c.Cells[k].Value}, c.Newest[k]})
		}
		at += r.Cells
	}
	order := func(a, b twinCell) int { return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.key, b.key)) }
	want := slices.Clone(h.changes[c.Position-1])
	slices.SortFunc(cells, order)
	slices.SortFunc(want, order)
	if diff := gocmp.Diff(want, cells, compareValues, gocmp.AllowUnexported(twinCell{})); diff != "" {
		h.Fatalf("change at position %d (-twin +db):\n%s", c.Position, diff)
	}
}

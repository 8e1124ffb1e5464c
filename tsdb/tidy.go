package tsdb

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/tsdb/internal/blocks"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// tidyBytes bounds the batches of tidy.
const tidyBytes = 8 << 20

// tidy joins the small row groups of every group into at most one. It runs once, on Close,
// with nobody else there: each batch leaves the store consistent.
func (f *flusher) tidy() (err error) {
	iter, err := f.db.store.NewIter(&pebble.IterOptions{LowerBound: []byte{keys.States}, UpperBound: []byte{keys.States + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	w := newFlushWriter(f.db)
	defer func() { err = errors.Join(err, w.close()) }()
	var state catalog.State
	for iter.First(); iter.Valid(); iter.Next() {
		group, err := keys.ParseGroup(iter.Key())
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if err := state.Parse(iter.Value()); err != nil {
			return fmt.Errorf("%w: state of group %d: %w", ErrCorrupt, group, err)
		}
		if state.Tail.Small <= 1 {
			continue
		}
		if err := w.tidy(group, &state); err != nil {
			return fmt.Errorf("join: %w", &groupError{group: group, err: err})
		}
		if w.batch.Len() < tidyBytes {
			continue
		}
		if err := w.commit(&f.run.state, pebble.NoSync); err != nil {
			return fmt.Errorf("commit joins: %w", err)
		}
	}
	if err := iter.Error(); err != nil {
		return err
	}
	if err := w.commit(&f.run.state, pebble.Sync); err != nil {
		return fmt.Errorf("commit joins: %w", err)
	}
	return nil
}

func (w *flushWriter) tidy(group uint64, s *catalog.State) error {
	p := blocks.New(stored{w.db.store, group}, group, len(s.Latest), s.Tail, w.db.options.tuning.rules)
	err := p.Tidy()
	if err == nil {
		err = w.put(p, group)
	}
	if err = errors.Join(err, p.Close()); err != nil {
		return err
	}
	w.passed(s.Tail, p)
	return w.batch.Set(keys.AppendState(nil, group), p.Tail.Append(nil, s.AppendLatest(nil)), nil)
}

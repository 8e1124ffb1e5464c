package tsdb

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A pinned store is the store at one moment, for one query. An iterator holds the moment, and
// those made of it see the same. A snapshot would do too, but Pebble makes and closes it under
// the lock of its store, which all queries and commits share, and looks for compactions when it
// is closed: for a small query that was a tenth of the work. Who reads for long, or a few keys
// here and there, is better off with a snapshot, which keeps no file from being deleted.
//
// Several goroutines may make iterators of it at once; Get and Close are for one.
type pinned struct {
	held  *pebble.Iterator
	err   error      // there is no iterator
	state flushState // as far as a mark has it
	known bool       // state is that of the moment
}

var metaRows = pebble.IterOptions{LowerBound: []byte{keys.Meta}, UpperBound: []byte{keys.Meta + 1}}

// pin holds what the store has now. Close must follow; what went wrong is told by flushState.
func pin(store *pebble.DB, m *flushMark) *pinned {
	var p pinned
	before := m.moves.Load()
	p.state = flushState{position: model.Position(m.position.Load()), batch: m.batch.Load()}
	p.held, p.err = store.NewIter(&metaRows)
	p.known = before%2 == 0 && m.moves.Load() == before
	return &p
}

// flushState returns position and batch of the moment.
func (p *pinned) flushState() (flushState, error) {
	if p.known && p.err == nil {
		return p.state, nil
	}
	return readFlushState(p)
}

// A flushMark is what readers must know of the flush state, so that only who reads in the very
// moment in which it changes has to look into the store.
type flushMark struct {
	moves           atomic.Uint64 // odd while the state changes
	position, batch atomic.Uint64
}

// change calls commit, which makes s the state in the store. Changes do not overlap. After one
// that failed nobody knows which state the store has, until the next one.
func (m *flushMark) change(s *flushState, commit func() error) error {
	if m.moves.Load()%2 == 0 {
		m.moves.Add(1)
	}
	if err := commit(); err != nil {
		return err
	}
	m.set(s)
	m.moves.Add(1)
	return nil
}

func (m *flushMark) set(s *flushState) {
	m.position.Store(uint64(s.position))
	m.batch.Store(s.batch)
}

// Get implements pebble.Reader for the meta rows. The value is valid until the next call.
func (p *pinned) Get(key []byte) ([]byte, io.Closer, error) {
	if p.err != nil {
		return nil, nil, p.err
	}
	if !p.held.SeekGE(key) || !bytes.Equal(p.held.Key(), key) {
		return nil, nil, cmp.Or(p.held.Error(), pebble.ErrNotFound)
	}
	value, err := p.held.ValueAndErr()
	return value, nothing{}, err
}

// nothing is to be closed.
type nothing struct{}

func (nothing) Close() error { return nil }

// NewIter implements pebble.Reader.
func (p *pinned) NewIter(o *pebble.IterOptions) (*pebble.Iterator, error) {
	return p.NewIterWithContext(context.Background(), o)
}

// NewIterWithContext implements pebble.Reader.
func (p *pinned) NewIterWithContext(ctx context.Context, o *pebble.IterOptions) (*pebble.Iterator, error) {
	if p.err != nil {
		return nil, p.err
	}
	return p.held.CloneWithContext(ctx, pebble.CloneOptions{IterOptions: o})
}

// Close implements pebble.Reader.
func (p *pinned) Close() error {
	if p.held == nil {
		return nil
	}
	return p.held.Close()
}

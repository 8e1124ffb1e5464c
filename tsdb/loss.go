package tsdb

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// metaLoss begins the name of the row of a loss, which ends with its number <8>: JSON of a Loss.
const metaLoss = "loss/"

// maxLosses bounds the rows one batch of a repair writes; the last one says how many more there were.
const maxLosses = 1000

func lossKey(n uint64) []byte {
	return binary.BigEndian.AppendUint64(keys.AppendMeta(nil, metaLoss), n)
}

// eachLoss calls fn with the losses there are rows of, oldest first.
func eachLoss(r pebble.Reader, fn func(n uint64, l model.Loss) error) (err error) {
	prefix := keys.AppendMeta(nil, metaLoss)
	iter, err := r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: append(keys.AppendMeta(nil, strings.TrimSuffix(metaLoss, "/")), '/'+1)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for iter.First(); iter.Valid(); iter.Next() {
		var l model.Loss
		if err := json.Unmarshal(iter.Value(), &l); err != nil || len(iter.Key()) != len(prefix)+8 {
			return fmt.Errorf("%w: loss %x", ErrCorrupt, iter.Key())
		}
		if err := fn(binary.BigEndian.Uint64(iter.Key()[len(prefix):]), l); err != nil {
			return err
		}
	}
	return iter.Error()
}

// losses is what a running store knows of its losses: the rows, and what it adds to them.
type losses struct {
	mu sync.Mutex
	// rows are those of the store, oldest first, by the number of each.
	rows []lossRow
	// patched are the tables that were changed, which backups must not take for their older selves.
	patched []string
}

type lossRow struct {
	number uint64
	model.Loss
}

// load reads the rows.
func (l *losses) load(r pebble.Reader) error {
	l.rows = nil
	err := eachLoss(r, func(n uint64, loss model.Loss) error {
		l.rows = append(l.rows, lossRow{n, loss})
		return nil
	})
	if err != nil {
		return fmt.Errorf("read what was lost: %w", err)
	}
	l.patched = nil
	prefix := patchedKey("")
	iter, err := r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: append(bytes.Clone(prefix[:len(prefix)-1]), '/'+1)})
	if err != nil {
		return err
	}
	for iter.First(); iter.Valid(); iter.Next() {
		l.patched = append(l.patched, string(iter.Key()[len(prefix):]))
	}
	return errors.Join(iter.Error(), iter.Close())
}

// mended reports whether a table was changed.
func (l *losses) mended(table string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.patched, table)
}

// put adds rows of what was lost, found at now, ms, to a batch, and returns them for
// [losses.committed].
func (l *losses) put(batch *pebble.Batch, lost []model.Loss, now int64) (rows []lossRow, err error) {
	if n := len(lost); n > maxLosses {
		lost = append(lost[:maxLosses:maxLosses], model.Loss{Cause: fmt.Sprintf("%d more places of the same repair", n-maxLosses)})
	}
	l.mu.Lock()
	next := uint64(1)
	if n := len(l.rows); n > 0 {
		next = l.rows[n-1].number + 1
	}
	l.mu.Unlock()
	for i := range lost {
		lost[i].Found = now
		rows = append(rows, lossRow{next + uint64(i), lost[i]})
	}
	return rows, putLossRows(batch, rows)
}

func putLossRows(batch *pebble.Batch, rows []lossRow) error {
	for i := range rows {
		value, err := json.Marshal(&rows[i].Loss)
		if err != nil {
			return fmt.Errorf("write a loss: %w", err)
		}
		if err := batch.Set(lossKey(rows[i].number), value, nil); err != nil {
			return err
		}
	}
	return nil
}

// committed takes over rows whose batch is in the store, and tables that were changed.
func (l *losses) committed(rows []lossRow, patched []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, rows...)
	l.patched = append(l.patched, patched...)
}

// all returns what there are rows of: losses, and tables that were changed.
func (l *losses) all() (rows []lossRow, patched []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.rows), slices.Clone(l.patched)
}

// Losses returns what damage has taken from this store, oldest first.
func (db *DB) Losses() []model.Loss {
	all := []model.Loss{}
	rows, _ := db.losses.all()
	for _, r := range rows {
		all = append(all, r.Loss)
	}
	return all
}

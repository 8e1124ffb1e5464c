package tsdb

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A Loss says what a repair could not bring back. What stands there since may be older than
// it was: what was deleted or corrected last before the damage may be as it was before that.
type Loss struct {
	Tenant model.TenantID `json:"tenant"`
	Entity model.EntityID `json:"entity"` // zero: it is not known whose it was
	Scope  model.Scope    `json:"scope"`
	Keys   []string       `json:"keys"` // those that may have lost something; none: all
	From   int64          `json:"from"` // ms
	To     int64          `json:"to"`   // ms, exclusive
	Found  int64          `json:"found"`
	Cause  string         `json:"cause"`
}

func (l Loss) String() string {
	when := time.UnixMilli(l.Found).UTC().Format(time.RFC3339)
	if l.Entity == (model.EntityID{}) {
		return fmt.Sprintf("lost: %s (found %s)", l.Cause, when)
	}
	d := model.Damage{Tenant: l.Tenant, Entity: l.Entity, Scope: l.Scope, Keys: l.Keys, From: l.From, To: l.To}
	return fmt.Sprintf("lost: %s, tenant %s (found %s; %s)", d, l.Tenant, when, l.Cause)
}

// metaLoss begins the name of the row of a loss, which ends with its number <8>: JSON of a Loss.
const metaLoss = "loss/"

// maxLosses bounds the rows one repair writes; the last one says how many more there were.
const maxLosses = 1000

func lossKey(n uint64) []byte {
	return binary.BigEndian.AppendUint64(keys.AppendMeta(nil, metaLoss), n)
}

// eachLoss calls fn with the losses there are rows of, oldest first.
func eachLoss(r pebble.Reader, fn func(n uint64, l Loss) error) (err error) {
	prefix := keys.AppendMeta(nil, metaLoss)
	iter, err := r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: append(keys.AppendMeta(nil, strings.TrimSuffix(metaLoss, "/")), '/'+1)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for iter.First(); iter.Valid(); iter.Next() {
		var l Loss
		if err := json.Unmarshal(iter.Value(), &l); err != nil || len(iter.Key()) != len(prefix)+8 {
			return fmt.Errorf("%w: loss %x", ErrCorrupt, iter.Key())
		}
		if err := fn(binary.BigEndian.Uint64(iter.Key()[len(prefix):]), l); err != nil {
			return err
		}
	}
	return iter.Error()
}

// putLosses adds rows of losses, found at now, ms, to a batch behind those in r.
func putLosses(batch *pebble.Batch, r pebble.Reader, losses []Loss, now int64) error {
	next := uint64(1)
	if err := eachLoss(r, func(n uint64, _ Loss) error { next = n + 1; return nil }); err != nil {
		return err
	}
	if n := len(losses); n > maxLosses {
		losses = append(losses[:maxLosses:maxLosses], Loss{Cause: fmt.Sprintf("%d more places of the same repair", n-maxLosses)})
	}
	for i := range losses {
		losses[i].Found = now
		value, err := json.Marshal(&losses[i])
		if err != nil {
			return fmt.Errorf("write a loss: %w", err)
		}
		if err := batch.Set(lossKey(next+uint64(i)), value, nil); err != nil {
			return err
		}
	}
	return nil
}

// Losses returns what repairs of this store could not bring back, oldest first.
func (db *DB) Losses() (all []Loss, err error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	err = eachLoss(db.store, func(_ uint64, l Loss) error { all = append(all, l); return nil })
	return all, err
}

package tsdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// cursors are the places up to which the named consumers have read the log. They are few,
// held in memory, and ride in batches that are written anyway.
type cursors struct {
	// changed: some cursor is further than its row.
	changed atomic.Bool
	mu      struct {
		sync.Mutex
		named map[string]*place
	}
}

// A place is the cursor of one consumer.
type place struct {
	position model.Position // everything up to it has been read
	changed  bool           // since its row was written
	behind   bool           // the log begins later, and Events.Behind was told
}

// metaConsumer begins the name of the row of a consumer: position <8 LE>.
const metaConsumer = "consumer/"

func consumerKey(name string) []byte { return keys.AppendMeta(nil, metaConsumer+name) }

// load reads the rows. A consumer that is behind already was told so.
func (c *cursors) load(store *pebble.DB, first model.Position) (err error) {
	c.mu.named = map[string]*place{}
	prefix := consumerKey("")
	iter, err := store.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: append(bytes.Clone(prefix[:len(prefix)-1]), '/'+1)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for iter.First(); iter.Valid(); iter.Next() {
		value, err := iter.ValueAndErr()
		if err != nil {
			return err
		}
		name := string(iter.Key()[len(prefix):])
		if len(value) != 8 {
			return fmt.Errorf("%w: cursor of consumer %q of %d bytes", ErrCorrupt, name, len(value))
		}
		p := model.Position(binary.LittleEndian.Uint64(value))
		c.mu.named[name] = &place{position: p, behind: p+1 < first}
	}
	return iter.Error()
}

// put adds the rows of what has changed to a batch. Who calls holds the lock of commits, and
// commits the batch before letting it go.
func (c *cursors) put(batch *pebble.Batch) error {
	if !c.changed.Load() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed.Store(false)
	for name, p := range c.mu.named {
		if !p.changed {
			continue
		}
		p.changed = false
		if err := batch.Set(consumerKey(name), binary.LittleEndian.AppendUint64(nil, uint64(p.position)), nil); err != nil {
			return err
		}
	}
	return nil
}

// least is the position every consumer has reached.
func (c *cursors) least() model.Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	least := model.Position(math.MaxUint64)
	for _, p := range c.mu.named {
		least = min(least, p.position)
	}
	return least
}

// fallBehind marks whom the log has left behind now that it begins at first.
func (c *cursors) fallBehind(first model.Position) (behind []BehindInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, p := range c.mu.named {
		if p.position+1 < first && !p.behind {
			p.behind = true
			behind = append(behind, BehindInfo{Consumer: name, From: p.position + 1, To: first - 1})
		}
	}
	slices.SortFunc(behind, func(a, b BehindInfo) int { return strings.Compare(a.Consumer, b.Consumer) })
	return behind
}

// at returns the place of a consumer.
func (c *cursors) at(name string) (model.Position, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.mu.named[name]
	if p == nil {
		return 0, false
	}
	return p.position, true
}

// move moves the cursor of a consumer forward; it reports false when there is none.
func (c *cursors) move(name string, to model.Position) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.mu.named[name]
	if p == nil {
		return false
	}
	if to > p.position {
		p.position, p.changed, p.behind = to, true, false
		c.changed.Store(true)
	}
	return true
}

package tsdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
)

// A Consumer follows the log under a name and remembers how far it came, across restarts:
//
//	for {
//		reached, err := c.Follow(ctx, handle)
//		…
//		err = c.Commit(reached)
//		err = c.Wait(ctx)
//	}
//
// What was handled and not committed when the process ended is handled again: at least
// once, so effects need a key made of the position. Follow and Commit of one consumer
// belong to one goroutine.
type Consumer struct {
	db   *DB
	name string
}

// maxConsumerName bounds the name of a consumer, bytes.
const maxConsumerName = 255

// Consumer returns the consumer called name. One that is new begins at the present: it sees
// what is appended after the call. It is there after a crash once the call returned. The log
// is kept for a consumer until it has read it, up to Options.LogMax: one that is not needed
// any more has to be removed. Errors: Invalid for a name that is empty or longer than 255
// bytes, Quota beyond Limits.Consumers.
func (db *DB) Consumer(name string) (*Consumer, error) {
	if name == "" || len(name) > maxConsumerName {
		return nil, model.Invalidf("Name of a consumer has %d bytes, must have 1 to %d", len(name), maxConsumerName)
	}
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	db.commit.Lock()
	defer db.commit.Unlock()
	if _, ok := db.cursors.at(name); ok {
		return &Consumer{db, name}, nil
	}
	if n, most := db.cursors.count(), db.options.Limits.Consumers; n >= most {
		return nil, model.Errorf(model.Quota, "%d consumers are at the limit of %d", n, most)
	}
	from := db.Position()
	err := db.writeNow(func(batch *pebble.Batch) error {
		return batch.Set(consumerKey(name), binary.LittleEndian.AppendUint64(nil, uint64(from)), nil)
	})
	if err != nil {
		return nil, fmt.Errorf("write the cursor of consumer %q: %w", name, err)
	}
	db.cursors.mu.Lock()
	db.cursors.mu.named[name] = &place{position: from}
	db.cursors.mu.Unlock()
	return &Consumer{db, name}, nil
}

// RemoveConsumer forgets a consumer; the log is no longer kept for it. It fails with
// NotFound when there is none of that name.
func (db *DB) RemoveConsumer(name string) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	db.commit.Lock()
	defer db.commit.Unlock()
	if _, ok := db.cursors.at(name); !ok {
		return model.NotFoundf("There is no consumer %q", name)
	}
	err := db.writeNow(func(batch *pebble.Batch) error { return batch.Delete(consumerKey(name), nil) })
	if err != nil {
		return fmt.Errorf("remove the cursor of consumer %q: %w", name, err)
	}
	db.cursors.mu.Lock()
	delete(db.cursors.mu.named, name)
	db.cursors.mu.Unlock()
	if db.held.Load() {
		db.wakeFlusher()
	}
	return nil
}

// writeNow makes a small batch durable. The lock of commits is held.
func (db *DB) writeNow(fill func(*pebble.Batch) error) error {
	batch := db.store.NewBatch()
	if err := fill(batch); err != nil {
		return errors.Join(err, batch.Close())
	}
	return db.commitBatch(batch, pebble.Sync)
}

func (c *cursors) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mu.named)
}

// Name returns the name of the consumer.
func (c *Consumer) Name() string { return c.name }

// Position returns the place up to which the consumer has committed.
func (c *Consumer) Position() (model.Position, error) {
	p, ok := c.db.cursors.at(c.name)
	if !ok {
		return 0, model.NotFoundf("There is no consumer %q", c.name)
	}
	return p, nil
}

// Follow calls fn with the changes behind the cursor, up to what is visible now, and returns
// the position reached; the cursor stays. Where the log has left the consumer behind it
// returns a *BehindError once and moves the cursor to the first position left, from where
// the next call goes on.
func (c *Consumer) Follow(ctx context.Context, fn func(*model.Change) error) (model.Position, error) {
	from, err := c.Position()
	if err != nil {
		return 0, err
	}
	reached, err := c.db.Follow(ctx, from, fn)
	if behind, ok := errors.AsType[*BehindError](err); ok {
		reached = model.Position(behind.First)
		c.db.cursors.move(c.name, reached)
	}
	return reached, err
}

// Commit moves the cursor to p: everything up to it needs not be read again. It returns at
// once; the cursor is on disk with the next write of anybody, and in any case when the log
// is cut, flushed or closed. A position before the cursor changes nothing; one that is not
// there yet is Invalid.
func (c *Consumer) Commit(p model.Position) error {
	if err := c.db.enter(); err != nil {
		return err
	}
	defer c.db.leave()
	if at := c.db.Position(); p > at {
		return model.Invalidf("Position %d is not there yet, the last is %d", p, at)
	}
	if !c.db.cursors.move(c.name, p) {
		return model.NotFoundf("There is no consumer %q", c.name)
	}
	if c.db.held.Load() {
		c.db.wakeFlusher()
	}
	return nil
}

// Wait returns when there is something behind the cursor, or with the error of ctx, of the
// store, or ErrClosed.
func (c *Consumer) Wait(ctx context.Context) error {
	p, err := c.Position()
	if err != nil {
		return err
	}
	return c.db.Wait(ctx, p)
}

// ConsumerStats say how far a consumer is.
type ConsumerStats struct {
	Name     string
	Position model.Position
	Lag      int64 // entries it has not committed
	LagBytes int64 // of log it has not committed, to about a mebibyte
	Behind   bool  // the log begins later than it stands: something is lost to it
}

// Consumers lists the consumers by name.
func (db *DB) Consumers() []ConsumerStats {
	db.commit.Lock()
	defer db.commit.Unlock()
	return db.consumersLocked()
}

func (db *DB) consumersLocked() []ConsumerStats {
	at := db.Position()
	db.cursors.mu.Lock()
	defer db.cursors.mu.Unlock()
	list := make([]ConsumerStats, 0, len(db.cursors.mu.named))
	for name, p := range db.cursors.mu.named {
		s := ConsumerStats{Name: name, Position: p.position, Behind: p.behind}
		if at > p.position {
			s.Lag, s.LagBytes = int64(at-p.position), db.commit.log.behind(p.position)
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b ConsumerStats) int { return strings.Compare(a.Name, b.Name) })
	return list
}

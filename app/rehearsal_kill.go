//go:build kill

package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb"
)

// A build with the tag kill is the server that rehearses its death: it kills itself at the
// moment that TIDEWIRE_KILL names, "flush batch:3" being the third time that one is passed.
// The engine has small bounds, so that every moment is near, and chores go through what no
// client asks for.

// rehearsed returns o as the rehearsal wants it.
func rehearsed(o tsdb.Options) tsdb.Options {
	o = tsdb.Rehearsed(o)
	keep := o.Retention
	o.Retention = func(t model.TenantID, e model.EntityID, s model.Scope, key string) model.Keep {
		if t == rehearsalTenant {
			return model.Keep{Time: time.Now().UnixMilli() - rehearsalStart + 365*24*3600*1000}
		}
		return keep(t, e, s, key)
	}
	moment, count, ok := strings.Cut(os.Getenv("TIDEWIRE_KILL"), ":")
	if !ok {
		return o
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 {
		panic(fmt.Sprintf("TIDEWIRE_KILL=%q does not end in a count", os.Getenv("TIDEWIRE_KILL")))
	}
	var left atomic.Int64
	left.Store(n)
	o.Events.Passing = func(m tsdb.Moment) {
		if string(m) == moment && left.Add(-1) == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // it takes the kernel a moment
		}
	}
	return o
}

// chores returns what a rehearsal does beside serving.
func (p *parts) chores(cfg Config) func(context.Context) error {
	return func(ctx context.Context) error {
		consumer, err := p.db.Consumer("rehearsal")
		if err != nil {
			return err
		}
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for n := int64(0); ; n++ {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			for _, chore := range []func(context.Context, int64) error{
				p.keepOriginals, p.joinSmall, p.deleteAndReclaim, p.eraseEntity, p.expire,
				func(ctx context.Context, n int64) error {
					return p.backUpTwice(ctx, filepath.Join(filepath.Dir(cfg.DataDir), "backups"), n)
				},
				func(ctx context.Context, _ int64) error {
					reached, err := consumer.Follow(ctx, func(*model.Change) error { return nil })
					if err != nil {
						return err
					}
					return consumer.Commit(reached)
				},
			} {
				if err := chore(ctx, n); err != nil && ctx.Err() == nil {
					return fmt.Errorf("rehearsal: %w", err)
				}
			}
		}
	}
}

var rehearsalTenant = model.TenantID{0xde, 0xad}

const rehearsalStart = int64(1_700_000_000_000)

// rehearsalSet has rows of an entity of the rehearsal.
func rehearsalSet(entity byte, ts int64, rows int) *model.WriteSet {
	s := &model.WriteSet{
		Tenant: rehearsalTenant, Entity: model.EntityID{entity}, Scope: model.Timeseries, Received: ts, Keys: []string{"n", "text"},
	}
	for i := range int64(rows) {
		s.Rows = append(s.Rows, model.Row{TS: ts + i*1000, Cells: 2})
		s.Cells = append(s.Cells, model.Cell{Key: 0, Value: model.Int(i)}, model.Cell{Key: 1, Value: model.String("x")})
	}
	return s
}

func (p *parts) keepOriginals(ctx context.Context, n int64) error {
	s := rehearsalSet(1, rehearsalStart+n%20*1000, 3)
	s.KeepOriginals = true
	_, err := p.db.Append(ctx, s)
	return err
}

// joinSmall makes a small row group, which the fourth time is joined with those before.
func (p *parts) joinSmall(ctx context.Context, _ int64) error {
	if _, err := p.db.Append(ctx, rehearsalSet(8, time.Now().UnixMilli(), 2)); err != nil {
		return err
	}
	return p.db.Flush(ctx)
}

// deleteAndReclaim deletes from sealed row groups: so much that it is hidden first.
func (p *parts) deleteAndReclaim(ctx context.Context, n int64) error {
	if _, err := p.db.Append(ctx, rehearsalSet(2, rehearsalStart+n*100_000, 100)); err != nil || n%8 != 7 {
		return err
	}
	to := rehearsalStart + (n-2)*100_000
	if _, err := p.db.Delete(ctx, model.DeleteRange{
		Tenant: rehearsalTenant, Entity: model.EntityID{2}, Scope: model.Timeseries, Keys: []string{"n"}, From: to - 400_500, To: to,
	}); err != nil {
		return err
	}
	if err := p.db.Flush(ctx); err != nil {
		return err
	}
	return p.db.Reclaim(ctx)
}

// expire writes into a partition of long ago, which goes again.
func (p *parts) expire(ctx context.Context, n int64) error {
	if n%4 != 1 {
		return nil
	}
	if _, err := p.db.Append(ctx, rehearsalSet(9, 1_400_000_000_000+n%40*30*24*3600*1000, 20)); err != nil {
		return err
	}
	if err := p.db.Flush(ctx); err != nil {
		return err
	}
	_, err := p.db.Expire(ctx)
	return err
}

// backUpTwice makes a backup and keeps the one before, with which it shares files.
func (p *parts) backUpTwice(ctx context.Context, dir string, n int64) error {
	if n%16 != 2 {
		return nil
	}
	if _, err := backUp(ctx, dir, time.Now(), p.registry, p.db); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries[:max(0, len(entries)-2)] {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (p *parts) eraseEntity(ctx context.Context, n int64) error {
	entity := byte(10 + n%5)
	if _, err := p.db.Append(ctx, rehearsalSet(entity, rehearsalStart, 5)); err != nil || n%4 != 3 {
		return err
	}
	_, err := p.db.DeleteEntity(ctx, rehearsalTenant, model.EntityID{entity})
	return err
}

package subscriptions

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb"
)

// A mute sink hears and forgets.
type mute struct{}

func (mute) Open(*Subscription, []byte)             {}
func (mute) Update(*Subscription, []byte, []Update) {}
func (mute) Lost(*Subscription)                     {}

// BenchmarkResumeStorm is an outage of the network: 5,000 subscriptions of as many entities come
// back at once, each missed the same number of updates, of a log that holds 200,000 of others, too.
func BenchmarkResumeStorm(b *testing.B) {
	const clients, missed, others = 5000, 10, 200_000
	h := New(Options{})
	db, err := tsdb.Open("db", tsdb.Options{FS: vfs.NewMem(), Changes: h})
	if err != nil {
		b.Fatal(err)
	}
	h.Start(db)
	defer func() {
		h.Close()
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	}()
	id := func(n int) (e model.EntityID) {
		binary.BigEndian.PutUint32(e[8:], uint32(n)) // the half that says which shard
		binary.BigEndian.PutUint32(e[12:], uint32(n))
		return e
	}
	var writers sync.WaitGroup
	write := func(n int, keys []string) {
		s := &model.WriteSet{Tenant: tenant, Entity: id(n), Scope: model.Timeseries, Keys: keys, Rows: []model.Row{{TS: time.Now().UnixMilli(), Cells: len(keys)}}}
		for k := range keys {
			s.Cells = append(s.Cells, model.Cell{Key: k, Value: model.Float(float64(n + k))})
		}
		if _, err := db.Append(context.Background(), s); err != nil {
			b.Error(err)
		}
	}
	from := through(db.Position())
	ten := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	for w := range 64 {
		writers.Go(func() {
			for n := w; n < clients; n += 64 {
				for range missed {
					write(n, ten[:1])
				}
			}
			for n := w; n < others; n += 64 {
				write(clients+n%clients, ten)
			}
		})
	}
	writers.Wait()
	b.ResetTimer()
	for b.Loop() {
		var done sync.WaitGroup
		subs := make([]*Subscription, clients)
		for n := range clients {
			done.Go(func() {
				spec := Spec{Tenant: tenant, Entity: id(n), Scopes: ScopesOf(model.Timeseries), Encoder: lines{}, Positions: true}
				var err error
				subs[n], err = h.Resume(b.Context(), spec, mute{}, Resumption{
					From: from,
					Pace: func(context.Context) error { return nil },
					Done: func(_ Place, n int) []byte {
						if n != missed {
							b.Errorf("%d updates were missed, want %d", n, missed)
						}
						return nil
					},
				})
				if err != nil {
					b.Error(err)
				}
			})
		}
		done.Wait()
		for _, s := range subs {
			h.Unsubscribe(s)
		}
	}
	b.ReportMetric(float64(h.Stats().Passes)/float64(b.N), "readings/op")
}

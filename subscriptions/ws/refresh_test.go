package ws

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidewire/tidewire/model"
)

// heavyFor is how long a query of a heavy tenant takes.
const heavyFor = 10 * time.Second

// A heavy directory takes its time over the queries of every tenant but one, once armed.
type heavy struct {
	Entities
	armed atomic.Bool

	mu    sync.Mutex
	now   int // queries in progress
	most  int
	asked map[model.TenantID]time.Time // when a query of theirs was last answered
	gaps  []time.Duration              // between two answers to the light tenant
}

var light = model.TenantID{99}

func (h *heavy) Count(ctx context.Context, p model.Principal, q *model.FindQuery) (int, error) {
	h.mu.Lock()
	h.now++
	h.most = max(h.most, h.now)
	h.mu.Unlock()
	if h.armed.Load() && p.Tenant != light {
		select {
		case <-time.After(heavyFor):
		case <-ctx.Done():
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now--
	if last, again := h.asked[p.Tenant]; again && p.Tenant == light {
		h.gaps = append(h.gaps, time.Since(last))
	}
	h.asked[p.Tenant] = time.Now()
	return h.Entities.Count(ctx, p, q)
}

// Six tenants whose queries take ten seconds each, and more of them than can be asked in a minute,
// beside one whose queries take nothing: it waits for a turn, not for all of theirs.
func TestATenantWithHeavyQueriesDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heavy{asked: make(map[model.TenantID]time.Time)}
		w := newWorld(t, func(d *Deps) {
			h.Entities, d.Entities = d.Entities, h
			d.Verify = func(token string) (model.Principal, error) {
				n, err := strconv.Atoi(strings.TrimPrefix(token, "good"))
				return model.Principal{Tenant: model.TenantID{byte(n)}, User: model.UserID{1}}, err
			}
		})
		dial, stop := bubble(t, w)
		defer stop()
		count := func(tenant string, queries int) {
			c := dial("/api/ws?token=good" + tenant)
			for id := range queries {
				c.send(`{"cmds":[{"type":"ENTITY_COUNT","cmdId":` + strconv.Itoa(id) + `,"query":{` + devices + `}}]}`)
				c.receive()
			}
			go func() { // the library answers pings while somebody reads
				for {
					if _, _, err := c.ws.Read(context.Background()); err != nil {
						return
					}
				}
			}()
		}
		for i := range 6 {
			count(strconv.Itoa(i+1), 20)
		}
		count("99", 1)
		h.armed.Store(true)
		<-time.After(10 * time.Minute)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.most != refreshers {
			t.Errorf("%d queries were asked at once, want %d", h.most, refreshers)
		}
		if longest := slices.Max(h.gaps); len(h.gaps) < 6 || longest > refreshEvery+2*heavyFor+2*sweepEvery {
			t.Errorf("the light query was asked after %v", h.gaps)
		}
		for i := range 6 {
			if ago := time.Since(h.asked[model.TenantID{byte(i + 1)}]); ago > 3*heavyFor {
				t.Errorf("tenant %d was asked %v ago", i+1, ago)
			}
		}
	})
}

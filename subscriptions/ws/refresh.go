package ws

import (
	"slices"
	"sync"
	"time"

	"github.com/tidewire/tidewire/model"
)

// refreshers is how many queries that nobody asked for are carried out at once, for all sockets.
const refreshers = 4

// A refresher asks dynamic queries and counts again, and those whose rights have changed. It has
// one goroutine that looks who is due, and one for each tenant with something due, which asks its
// queries one after the other. They take turns: whoever had one waits behind all who wait, so a
// tenant with heavy queries delays nobody by more than the one that it is at.
type refresher struct {
	turns chan struct{} // a token for each query in progress; who waits to send is served in order

	mu struct {
		sync.Mutex
		busy map[model.TenantID]bool
	}
}

func newRefresher() *refresher {
	r := &refresher{turns: make(chan struct{}, refreshers)}
	r.mu.busy = make(map[model.TenantID]bool)
	return r
}

// refreshes is the goroutine that looks who is due.
func (s *Server) refreshes() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		due := make(map[model.TenantID][]*query)
		for _, x := range s.all() {
			tenant := x.principal().Tenant
			x.mu.Lock()
			queries := slices.Clone(x.mu.queries)
			x.mu.Unlock()
			for _, q := range queries {
				if q.isDue() {
					due[tenant] = append(due[tenant], q)
				}
			}
		}
		for tenant, queries := range due {
			if s.refresher.begin(tenant) {
				s.done.Go(func() { s.refreshAll(tenant, queries) })
			}
		}
	}
}

// isDue reports whether the query is to be asked again now. A client that does not read its
// answers gets no others.
func (q *query) isDue() bool {
	due := q.due.Load()
	return (q.forced.Load() || due != 0 && q.session.now().UnixMilli() >= due) && q.session.conn.room() == nil
}

// begin reports whether the queries of a tenant may be asked, which nobody does already.
func (r *refresher) begin(t model.TenantID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.busy[t] {
		return false
	}
	r.mu.busy[t] = true
	return true
}

func (r *refresher) end(t model.TenantID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mu.busy, t)
}

// refreshAll asks the queries of one tenant again, each when it is the tenant's turn.
func (s *Server) refreshAll(t model.TenantID, queries []*query) {
	r := s.refresher
	defer r.end(t)
	for _, q := range queries {
		select {
		case r.turns <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
		if q.isDue() { // still, after the wait
			q.refresh()
		}
		<-r.turns
	}
}

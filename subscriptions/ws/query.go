package ws

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// Entities answers queries over entities.
type Entities interface {
	Find(context.Context, model.Principal, *model.FindQuery) (model.Page[model.EntityData], error)
	Count(context.Context, model.Principal, *model.FindQuery) (int, error)
}

// refreshEvery is how often a dynamic query and a count are asked again (contract 11.8, 11.9).
const refreshEvery = time.Minute

// A query is what a client has asked with ENTITY_DATA or ENTITY_COUNT under one id. The
// session's goroutine and the refresher work on it, one at a time.
type query struct {
	session *session
	command thingsboard.WSCommand // the first one of its kind and id
	ctx     context.Context       // ends with the query
	cancel  context.CancelFunc
	due     atomic.Int64 // ms, when to ask again; zero means never
	forced  atomic.Bool  // rights changed: answer anew whatever was found

	work  sync.Mutex // held while it is answered; guards what follows
	find  *model.FindQuery
	parts thingsboard.WSParts
	// positions asks that what is told says where it stands; see order.
	positions bool
	page      model.Page[model.EntityData]
	count     int

	follows atomic.Pointer[generation] // what is told now; nil for a count
}

// queryOf returns the query of an id.
func (s *session) queryOf(kind string, id int64) *query {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.mu.queries {
		if q.command.ID == id && q.command.Type == kind {
			return q
		}
	}
	return nil
}

// newQuery notes a query. It is nil when the session has ended or holds too many.
func (s *session) newQuery(c *thingsboard.WSCommand) *query {
	if !s.mayHoldMore() {
		return nil
	}
	q := &query{session: s, command: *c}
	q.ctx, q.cancel = context.WithCancel(s.server.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placedLocked()
	if s.mu.ended {
		q.cancel()
		return nil
	}
	s.mu.queries = append(s.mu.queries, q)
	return q
}

// dropQuery ends a query, if it is there.
func (s *session) dropQuery(q *query) {
	s.mu.Lock()
	s.mu.queries = slices.DeleteFunc(s.mu.queries, func(x *query) bool { return x == q })
	s.mu.Unlock()
	q.stop()
}

// stop ends what a query that is no longer in queries has begun. It waits for who works on it.
func (q *query) stop() {
	q.cancel()
	q.work.Lock()
	defer q.work.Unlock()
	q.follow(nil)
}

// follow makes g what is told from now on.
func (q *query) follow(g *generation) {
	if old := q.follows.Swap(g); old != nil {
		old.end()
	}
}

func (s *session) principal() model.Principal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.principal
}

// entityCount carries out ENTITY_COUNT (contract 11.9).
func (s *session) entityCount(ctx context.Context, c *thingsboard.WSCommand) error {
	if s.queryOf(c.Type, c.ID) != nil {
		return nil
	}
	if c.Query == nil {
		return model.Invalidf("query is missing")
	}
	who := s.principal()
	find, err := thingsboard.ParseFindCount(c.Query, who)
	if err != nil {
		return err
	}
	n, err := s.server.deps.Entities.Count(ctx, who, find)
	if err != nil {
		return err
	}
	q := s.newQuery(c)
	if q == nil {
		return nil
	}
	q.work.Lock()
	defer q.work.Unlock()
	q.find, q.count = find, n
	q.again()
	s.conn.send(appendText(nil, thingsboard.AppendWSCount(nil, c, n)))
	return nil
}

// again says when the query is asked again.
func (q *query) again() {
	if q.command.Type == thingsboard.WSEntityCount || q.find.Dynamic {
		q.due.Store(q.session.now().Add(refreshEvery).UnixMilli())
	}
}

// entityData carries out ENTITY_DATA (contract 11.8).
func (s *session) entityData(ctx context.Context, c *thingsboard.WSCommand) error {
	parts, err := c.Parts(thingsboard.QueryOptions{MaxBuckets: s.server.limits.Buckets})
	if err != nil {
		return err
	}
	var find *model.FindQuery
	who := s.principal()
	if c.Query != nil {
		if find, err = thingsboard.ParseFind(c.Query, who); err != nil {
			return err
		}
		find.Size = min(find.Size, thingsboard.AllowedEntities)
	}
	q := s.queryOf(c.Type, c.ID)
	switch {
	case q == nil && find == nil, c.Resume != "" && find == nil:
		return model.Invalidf("query is missing")
	}
	from, resync, err := s.queryResumption(c)
	if err != nil {
		return err
	}
	if q == nil {
		if q = s.newQuery(c); q == nil {
			return nil
		}
	}
	q.work.Lock()
	defer q.work.Unlock()
	known := c.Resume == "" && q.find != nil && (find == nil || reflect.DeepEqual(find, q.find))
	if known && !parts.Any() {
		return nil
	}
	if !known {
		page, err := q.ask(ctx, who, find)
		if err != nil {
			if q.find == nil {
				q.forget()
			}
			return err
		}
		q.find, q.page = find, page
		q.due.Store(0)
	}
	q.parts, q.positions = parts, c.Positions
	if from != nil {
		resync, err = q.resume(ctx, who, from)
	}
	if err == nil && (from == nil || resync != "") {
		err = q.answer(ctx, who, !known, resync)
	}
	if err != nil && !known { // the next attempt is the first one again
		q.forget()
	}
	if err == nil && !known {
		q.again()
	}
	return err
}

// ask finds the page of a query.
func (q *query) ask(ctx context.Context, who model.Principal, find *model.FindQuery) (model.Page[model.EntityData], error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	return q.session.server.deps.Entities.Find(ctx, who, find)
}

// forget takes out a query that was never answered.
func (q *query) forget() {
	s := q.session
	q.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.queries = slices.DeleteFunc(s.mu.queries, func(x *query) bool { return x == q })
}

// answer reads what the parts ask of the page, sends it and follows it. What was followed
// before ends first, so that nothing older is told after the answer was read. The caller
// holds work. Resync is why this is not what was missed, where the client asked for that.
func (q *query) answer(ctx context.Context, who model.Principal, whole bool, resync string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	a, err := q.answering(who)
	if err != nil {
		return err
	}
	g := a.generation
	entities, err := a.entities(ctx, whole)
	if err != nil {
		g.end()
		if b, ok := errors.AsType[*model.BudgetError](err); ok && b.Kind == model.BudgetPoints {
			return tooMuch{fmt.Errorf("Result has more than %d points!", q.session.server.limits.HistoryPoints)} //nolint:staticcheck // a text of the protocol
		}
		return err
	}
	note := &thingsboard.WSNote{Resync: resync}
	if g.order != nil {
		note.Position = g.order.first()
	}
	var frame []byte
	if whole {
		frame = thingsboard.AppendWSPage(nil, q.command.ID, q.find, entities, q.page.Total, note)
	} else {
		frame = thingsboard.AppendWSReply(nil, q.command.ID, entities, note)
	}
	q.follows.Store(g)
	g.begin(appendText(nil, frame))
	if q.ctx.Err() != nil {
		q.follow(nil)
	}
	return nil
}

// answering ends what was followed and begins to read an answer.
func (q *query) answering(who model.Principal) (*answering, error) {
	q.follow(nil)
	g := &generation{query: q}
	if q.positions {
		r, err := q.session.hub().Reader()
		if err != nil {
			return nil, err
		}
		g.order = newOrder(g, r)
	}
	return &answering{query: q, generation: g, who: who, points: int64(q.session.server.limits.HistoryPoints)}, nil
}

// refresh asks again and tells what has changed. It waits for nobody who answers the query at
// the moment: it is asked again later.
func (q *query) refresh() {
	ctx, cancel := context.WithTimeout(q.ctx, commandTimeout)
	defer cancel()
	if !q.work.TryLock() {
		return
	}
	defer q.work.Unlock()
	if q.find == nil || ctx.Err() != nil {
		return
	}
	s := q.session
	forced := q.forced.Swap(false)
	q.due.Store(0)
	q.again()
	who := s.principal()
	if q.command.Type == thingsboard.WSEntityCount {
		n, err := s.server.deps.Entities.Count(ctx, who, q.find)
		switch {
		case err != nil:
			q.failed(err)
		case n != q.count:
			q.count = n
			s.conn.send(appendText(nil, thingsboard.AppendWSCount(nil, &q.command, n)))
		}
		return
	}
	page, err := s.server.deps.Entities.Find(ctx, who, q.find)
	if err == nil && (forced || page.Total != q.page.Total || !sameEntities(page.Data, q.page.Data)) {
		q.page = page
		err = q.answer(ctx, who, true, "")
	}
	if err != nil {
		q.page = model.Page[model.EntityData]{} // the next refresh answers anew
		q.failed(err)
	}
}

// failed tells that a refresh failed, unless that is because the query has ended.
func (q *query) failed(err error) {
	if q.ctx.Err() == nil {
		q.session.fail(&q.command, err)
	}
}

func sameEntities(a, b []model.EntityData) bool {
	if len(a) != len(b) {
		return false
	}
	ids := make(map[model.EntityID]struct{}, len(a))
	for i := range a {
		ids[a[i].Entity.ID] = struct{}{}
	}
	return !slices.ContainsFunc(b, func(d model.EntityData) bool {
		_, ok := ids[d.Entity.ID]
		return !ok
	})
}

// tooMuch is the error of a frame that would hold too many points.
type tooMuch struct{ error }

// recheckQueries asks again whether what the queries follow is allowed. What is not ends at
// once, and the query is answered anew.
func (s *session) recheckQueries(p model.Principal) {
	s.mu.Lock()
	queries := slices.Clone(s.mu.queries)
	s.mu.Unlock()
	for _, q := range queries {
		g := q.follows.Load()
		if g == nil {
			continue
		}
		for _, x := range g.permits {
			if x.dead.Load() {
				continue
			}
			_, err := s.server.deps.Allow(p, x.access, x.ref)
			if err != nil || x.window != s.server.window(x.ref.ID) {
				x.dead.Store(true)
				q.forced.Store(true)
			}
		}
	}
}

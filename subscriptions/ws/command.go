package ws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// commandTimeout bounds the reading of one first frame or history.
const commandTimeout = 30 * time.Second

// command carries out one command. Whatever is wrong with it is answered in a frame of its
// own; the session goes on.
func (s *session) command(c *thingsboard.WSCommand) {
	if err := cmp.Or(c.Err, s.mayCommand(c)); err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(s.server.ctx, commandTimeout)
	if c.Resume != "" { // takes as long as the client takes to read it
		cancel()
		ctx, cancel = context.WithCancel(s.server.ctx)
	}
	defer s.stoppable(cancel)()
	var err error
	switch {
	case c.End:
		if q := s.queryOf(c.Type, c.ID); q != nil {
			s.dropQuery(q)
		}
	case c.Type == thingsboard.WSEntityData:
		err = s.entityData(ctx, c)
	case c.Type == thingsboard.WSEntityCount:
		err = s.entityCount(ctx, c)
	case c.Type != thingsboard.WSHistory && c.Type != thingsboard.WSAttributes && c.Type != thingsboard.WSTimeseries:
		err = s.alarms(ctx, c)
	case c.Type == thingsboard.WSHistory:
		err = s.history(ctx, c)
	case c.Unsubscribe && c.EntityID == "":
		s.dropAll()
	case c.Unsubscribe:
		s.drop(c.ID)
	case c.Type == thingsboard.WSAttributes:
		err = s.attributes(ctx, c)
	default:
		err = s.timeseries(ctx, c)
	}
	if err != nil && s.verdict.Load() == nil {
		s.fail(c, err)
	}
}

// fail tells what went wrong with a command (contract 11.4).
func (s *session) fail(c *thingsboard.WSCommand, err error) {
	code, message := thingsboard.WSInternal, "Failed to fetch data!"
	if c.Type == thingsboard.WSAttributes {
		message = "Failed to fetch attributes!"
	}
	if much, ok := errors.AsType[tooMuch](err); ok {
		s.conn.send(appendText(nil, thingsboard.AppendWSError(nil, c, code, much.Error())))
		return
	}
	switch model.KindOf(err) {
	case model.Invalid, model.TooLarge, model.TooMany:
		code = thingsboard.WSBadRequest
	case model.Unauthenticated, model.Expired:
		code = thingsboard.WSUnauthorized
	case model.Internal:
		s.server.log.Warn("websocket command failed", "command", c.Type, "entity", c.EntityID, "error", err)
	}
	s.conn.send(appendText(nil, thingsboard.AppendWSError(nil, c, code, model.MessageOf(err, message))))
}

// allow finds the entity of a command, if the client may see it.
func (s *session) allow(c *thingsboard.WSCommand, a Access) (*model.Entity, error) {
	ref, err := c.Ref()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	p := s.mu.principal
	s.mu.Unlock()
	return s.server.deps.Allow(p, a, ref)
}

// A first reads what a first frame shows, and notes in o where it was read.
type first func(ctx context.Context, r subscriptions.Snapshots, w *thingsboard.WSData, o *subscriptions.Opening) error

// subscribe replaces what the id stood for by a subscription of sink, which ends in the session,
// to e.
func (s *session) subscribe(ctx context.Context, c *thingsboard.WSCommand, a Access, e *model.Entity, spec subscriptions.Spec, sink subscriptions.Sink, read first) error {
	from, resync, err := s.resumption(c)
	if err != nil { // before the old subscription goes
		return err
	}
	s.drop(c.ID)
	if !s.mayHoldMore() {
		return nil
	}
	spec.Tenant, spec.Entity, spec.ID, spec.Keys, spec.Positions = e.Tenant, e.ID, c.ID, c.Keys, c.Positions
	if spec.Window != nil {
		spec.Entity = spec.Window.Source.ID
	}
	x := &subscription{ref: e.Ref(), access: a, window: spec.Window}
	x.hub, err = s.follow(ctx, c, spec, sink, read, x, from, resync)
	if !s.put(x) && err == nil {
		s.hub().Unsubscribe(x.hub)
	}
	return err
}

// follow begins the subscription of x: from a place or, for the reason resync, anew.
func (s *session) follow(ctx context.Context, c *thingsboard.WSCommand, spec subscriptions.Spec, sink subscriptions.Sink, read first,
	x *subscription, from subscriptions.Place, resync string) (*subscriptions.Subscription, error) {
	enc, err := s.encoder(c)
	if err != nil {
		return nil, err
	}
	spec.Encoder = enc
	if from != (subscriptions.Place{}) {
		h, err := s.resume(ctx, spec, sink, enc, x, from)
		if resync = resyncOf(err); resync == "" {
			return h, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	return s.hub().Subscribe(ctx, spec, sink, func(ctx context.Context, r subscriptions.Snapshots, o *subscriptions.Opening) error {
		var w thingsboard.WSData
		w.Begin(nil, enc.strict)
		if err := read(ctx, throughView(r, spec.Window), &w, o); err != nil {
			return err
		}
		o.Frame = enc.Frame(nil, c.ID, w.End(&thingsboard.WSNote{Resync: resync, Position: enc.position(o.Place())}))
		return nil
	})
}

// timeseries carries out TIMESERIES (contract 11.5).
func (s *session) timeseries(ctx context.Context, c *thingsboard.WSCommand) error {
	e, err := s.allow(c, ReadTelemetry)
	if err != nil {
		return err
	}
	read := func(ctx context.Context, r subscriptions.Snapshots, w *thingsboard.WSData, o *subscriptions.Opening) (err error) {
		var p model.Position
		if c.TimeWindow > 0 && len(c.Keys) > 0 {
			p, err = s.window(ctx, r, c, e, w)
		} else {
			p, err = s.latest(ctx, r, c, e, w)
		}
		o.Read(model.Timeseries, p)
		return err
	}
	if c.TimeWindow > 0 && len(c.Keys) > 0 {
		if _, err := s.windowQuery(c, e); err != nil { // before the old subscription goes
			return err
		}
	}
	spec := subscriptions.Spec{Scopes: subscriptions.ScopesOf(model.Timeseries), NewestOnly: c.NewestOnly(), Window: s.server.window(e.ID)}
	return s.subscribe(ctx, c, ReadTelemetry, e, spec, s, read)
}

// latest fills a first frame with the newest values. Keys that were asked for and have none
// are null at the time of asking.
func (s *session) latest(ctx context.Context, r subscriptions.Snapshots, c *thingsboard.WSCommand, e *model.Entity, w *thingsboard.WSData) (model.Position, error) {
	snap, err := r.Latest(ctx, e.Tenant, e.ID, model.Timeseries, c.Keys)
	if err != nil {
		return 0, err
	}
	points, now := snap.Points, s.now().UnixMilli()
	if c.Keys == nil {
		for i := range points {
			w.Key(points[i].Key)
			w.Point(points[i].TS, points[i].Value)
		}
	}
	for _, key := range c.Keys {
		w.Key(key)
		if len(points) > 0 && points[0].Key == key {
			w.Point(points[0].TS, points[0].Value)
			points = points[1:]
		} else {
			w.Point(now, model.Null())
		}
	}
	return snap.Position, nil
}

// query checks a range as REST does (contract 8.3) and applies the same bounds.
func (s *session) query(c *thingsboard.WSCommand, e *model.Entity, from, to int64) (*model.RangeQuery, error) {
	limit := int(min(c.Limit, math.MaxInt32))
	params := thingsboard.HistoryParams{
		Key: c.Keys, StartTS: &from, EndTS: &to, Agg: c.Agg, Interval: c.Interval, Limit: &limit,
	}
	q, err := params.RangeQuery(thingsboard.QueryOptions{MaxBuckets: s.server.limits.Buckets})
	q.Tenant, q.Entity = e.Tenant, e.ID
	return &q, err
}

// windowQuery is the history a TIMESERIES command begins with.
func (s *session) windowQuery(c *thingsboard.WSCommand, e *model.Entity) (*model.RangeQuery, error) {
	from, to := c.StartTS, c.StartTS+c.TimeWindow
	if from == 0 {
		now := s.now().UnixMilli()
		from, to = now-c.TimeWindow, now+1 // the instant of asking included
	}
	if to < from { // beyond the end of time
		to = math.MaxInt64
	}
	return s.query(c, e, from, to)
}

func (s *session) window(ctx context.Context, r subscriptions.Snapshots, c *thingsboard.WSCommand, e *model.Entity, w *thingsboard.WSData) (model.Position, error) {
	q, err := s.windowQuery(c, e)
	if err != nil {
		return 0, err
	}
	return s.read(ctx, r, q, w)
}

// history carries out TIMESERIES_HISTORY (contract 11.6).
func (s *session) history(ctx context.Context, c *thingsboard.WSCommand) error {
	e, err := s.allow(c, ReadTelemetry)
	if err != nil {
		return err
	}
	q, err := s.query(c, e, c.StartTS, c.EndTS)
	if err != nil {
		return err
	}
	r, err := s.hub().Reader()
	if err != nil {
		return err
	}
	var w thingsboard.WSData
	w.Begin(nil, c.Strict)
	if _, err = s.read(ctx, throughView(r, s.server.window(e.ID)), q, &w); err == nil {
		s.conn.send(encoder{}.Frame(nil, c.ID, w.End(&thingsboard.WSNote{})))
	}
	return err
}

// read fills a frame with history: raw points newest first, aggregates oldest first.
func (s *session) read(ctx context.Context, r subscriptions.Snapshots, q *model.RangeQuery, w *thingsboard.WSData) (model.Position, error) {
	last, first := "", true
	begin := func(key string) {
		if first || key != last {
			w.Key(key)
			last, first = key, false
		}
	}
	q.Budget.Points = int64(s.server.limits.HistoryPoints)
	var p model.Position
	var err error
	if q.Aggregates == 0 {
		p, err = r.Raw(ctx, q, func(key string, points []model.Point) error {
			if len(points) == 0 {
				return nil
			}
			begin(key)
			for i := range points {
				w.Point(points[i].TS, points[i].Value)
			}
			return nil
		})
	} else {
		p, err = r.Aggregate(ctx, q, func(key string, buckets []model.Bucket) error {
			for i := range buckets {
				v := buckets[i].Value(q.Aggregates)
				if v.IsNone() {
					continue
				}
				begin(key)
				w.Point(buckets[i].Mid(), v)
			}
			return nil
		})
	}
	if b, ok := errors.AsType[*model.BudgetError](err); ok && b.Kind == model.BudgetPoints {
		return 0, &model.Error{Kind: model.TooLarge, Message: fmt.Sprintf("Result has more than %d points!", b.Limit), Err: err}
	}
	return p, err
}

// attributes carries out ATTRIBUTES (contract 11.7).
func (s *session) attributes(ctx context.Context, c *thingsboard.WSCommand) error {
	e, err := s.allow(c, ReadAttributes)
	if err != nil {
		return err
	}
	scopes, _ := c.AttributeScopes()
	sink := &anyScope{session: s}
	read := func(ctx context.Context, r subscriptions.Snapshots, w *thingsboard.WSData, o *subscriptions.Opening) error {
		var points []model.KeyPoint
		sink.known = memory{}
		for _, scope := range scopes {
			snap, err := r.Latest(ctx, e.Tenant, e.ID, scope, c.Keys)
			if err != nil {
				return err
			}
			o.Read(scope, snap.Position)
			points = append(points, snap.Points...)
			for i := range snap.Points {
				sink.known.put(scope, snap.Points[i].Key, snap.Points[i].Point)
			}
		}
		sink.known.settle()
		slices.SortFunc(points, func(a, b model.KeyPoint) int {
			return cmp.Or(strings.Compare(a.Key, b.Key), cmp.Compare(a.TS, b.TS))
		})
		for i := range points {
			if i == 0 || points[i].Key != points[i-1].Key {
				w.Key(points[i].Key)
			}
			w.Point(points[i].TS, points[i].Value)
		}
		return nil
	}
	spec := subscriptions.Spec{Scopes: subscriptions.ScopesOf(scopes...)}
	if len(scopes) == 1 {
		return s.subscribe(ctx, c, ReadAttributes, e, spec, s, read)
	}
	return s.subscribe(ctx, c, ReadAttributes, e, spec, sink, read)
}

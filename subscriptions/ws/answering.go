package ws

import (
	"context"
	"slices"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// An answering reads what the parts of a query ask of its page, and begins to follow what of
// it is live. Every value is read after the change that follows it is listened to.
type answering struct {
	query      *query
	generation *generation
	who        model.Principal
	points     int64                            // that may still be read
	kinds      [model.AttributeKey + 1][]string // the keys to follow, sorted
	live       []string                         // the keys whose series are followed, sorted
}

// previousYear is how far fetchLatestPreviousPoint looks back, ms.
const previousYear = 365 * 24 * 3600 * 1000

// entities reads all of the page; with whole also what the query itself shows.
func (a *answering) entities(ctx context.Context, whole bool) ([]thingsboard.WSEntity, error) {
	list, err := a.page(ctx, whole)
	if err != nil {
		return nil, err
	}
	if o := a.generation.order; o != nil {
		return list, o.answer(ctx, a, list)
	}
	for i := range list {
		if err := a.entity(ctx, a.query.page.Data[i].Entity, &list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// page finds out what is asked of the page and returns what of it needs no reading.
func (a *answering) page(ctx context.Context, whole bool) ([]thingsboard.WSEntity, error) {
	q := a.query
	for kind := model.SeriesKey; kind <= model.AttributeKey; kind++ {
		a.kinds[kind] = a.keysOf(kind)
	}
	a.live = a.liveKeys()
	if err := a.room(); err != nil {
		return nil, err
	}
	extra, err := a.fields(ctx)
	if err != nil {
		return nil, err
	}
	now := q.session.now().UnixMilli()
	list := make([]thingsboard.WSEntity, len(q.page.Data))
	for i := range q.page.Data {
		d, e := &q.page.Data[i], &list[i]
		e.Ref = d.Entity.Ref()
		if whole {
			for k, key := range q.find.Fields {
				show(e, key, model.Point{TS: now, Value: d.Fields[k]})
			}
			for k, key := range q.find.Latest {
				show(e, key, d.Latest[k])
			}
		}
		for _, key := range q.parts.Latest {
			var p model.Point
			if v, ok := extra[d.Entity.ID][key.Key]; ok && key.Kind == model.EntityField {
				p = model.Point{TS: now, Value: v}
			}
			show(e, key, p)
		}
	}
	return list, nil
}

// show sets a value of an entity.
func show(e *thingsboard.WSEntity, key model.EntityKey, p model.Point) {
	at := slices.IndexFunc(e.Latest, func(s thingsboard.WSShown) bool { return s.Key == key })
	if at < 0 {
		e.Latest = append(e.Latest, thingsboard.WSShown{Key: key, Point: p})
		return
	}
	e.Latest[at].Point = p
}

// keysOf returns the keys of a kind that latestCmd asks for.
func (a *answering) keysOf(kind model.KeyKind) (keys []string) {
	for _, k := range a.query.parts.Latest {
		if k.Kind == kind {
			keys = append(keys, k.Key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// room refuses what would take more followers than a session may have.
func (a *answering) room() error {
	kinds := 0
	for kind := model.SeriesKey; kind <= model.AttributeKey; kind++ {
		if len(a.kinds[kind]) > 0 {
			kinds++
		}
	}
	if len(a.live) > 0 {
		kinds++
	}
	s := a.query.session
	if n := s.followed.Load() + int64(kinds)*int64(len(a.query.page.Data)); n > int64(s.server.limits.Followed) {
		return model.Errorf(model.TooMany, "Max subscriptions limit reached! %d live series of entities exceed the limit of %d.", n, s.server.limits.Followed)
	}
	return nil
}

// fields reads the entity fields latestCmd asks for.
func (a *answering) fields(ctx context.Context) (map[model.EntityID]map[string]model.Value, error) {
	f := model.FindQuery{Filter: model.EntityFilter{Kind: model.FilterEntities}, Size: max(1, len(a.query.page.Data))}
	for _, k := range a.query.parts.Latest {
		if k.Kind == model.EntityField {
			f.Fields = append(f.Fields, k)
		}
	}
	if len(f.Fields) == 0 || len(a.query.page.Data) == 0 {
		return nil, nil
	}
	for _, d := range a.query.page.Data {
		f.Filter.Refs = append(f.Filter.Refs, d.Entity.Ref())
	}
	page, err := a.query.session.server.deps.Entities.Find(ctx, a.who, &f)
	if err != nil {
		return nil, err
	}
	all := make(map[model.EntityID]map[string]model.Value, len(page.Data))
	for _, d := range page.Data {
		values := make(map[string]model.Value, len(f.Fields))
		for i, k := range f.Fields {
			values[k.Key] = d.Fields[i]
		}
		all[d.Entity.ID] = values
	}
	return all, nil
}

// liveKeys returns the keys whose series are followed.
func (a *answering) liveKeys() (keys []string) {
	for i := range a.query.parts.Series {
		if p := &a.query.parts.Series[i]; p.Live {
			keys = append(keys, p.Query.Keys...)
		}
	}
	for i := range a.query.parts.Aggregates {
		if p := &a.query.parts.Aggregates[i]; p.Live {
			keys = append(keys, p.Key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// scopesOf returns where the value of a key of a kind may stand.
func scopesOf(k model.KeyKind) []model.Scope {
	switch k {
	case model.SeriesKey:
		return []model.Scope{model.Timeseries}
	case model.ClientKey:
		return []model.Scope{model.Client}
	case model.SharedKey:
		return []model.Scope{model.Shared}
	case model.ServerKey:
		return []model.Scope{model.Server}
	}
	return model.AttributeScopes[:]
}

// entity reads and follows one entity. What may not be seen is left empty.
func (a *answering) entity(ctx context.Context, found *model.Entity, e *thingsboard.WSEntity) error {
	for kind := model.SeriesKey; kind <= model.AttributeKey; kind++ {
		if keys := a.kinds[kind]; len(keys) > 0 {
			if err := a.latest(ctx, found, kind, keys, e); err != nil {
				return err
			}
		}
	}
	return a.series(ctx, found, e)
}

// allowed returns what may be seen of an entity; nil when nothing may.
func (a *answering) allowed(found *model.Entity, kind model.KeyKind) *permit {
	p := &permit{kind: kind, ref: found.Ref()}
	if kind > model.SeriesKey {
		p.access = ReadAttributes
	} else {
		p.access, p.window = ReadTelemetry, a.query.session.server.window(found.ID)
	}
	if _, err := a.query.session.server.deps.Allow(a.who, p.access, p.ref); err != nil {
		return nil
	}
	return p
}

// follower returns one of what p allows.
func (a *answering) follower(p *permit) *follower {
	return &follower{permit: p, generation: a.generation}
}

// listen subscribes f.
func (a *answering) listen(ctx context.Context, found *model.Entity, f *follower, keys []string, open subscriptions.Opener) error {
	spec := subscriptions.Spec{
		Tenant: found.Tenant, Entity: found.ID, Scopes: subscriptions.ScopesOf(model.Timeseries), Keys: keys, Window: f.window,
		ID: a.query.command.ID, Encoder: entityEncoder{f.ref, f.kind},
	}
	if f.kind != 0 {
		spec.Scopes = subscriptions.ScopesOf(scopesOf(f.kind)...)
		// Of a view a late point may be the newest it shows.
		spec.NewestOnly = f.window == nil
	}
	if f.window != nil {
		spec.Entity = f.window.Source.ID
	}
	s := a.query.session
	h, err := s.hub().Subscribe(ctx, spec, f, open)
	if err != nil {
		return err
	}
	f.hub = h
	a.generation.followers = append(a.generation.followers, f)
	a.generation.permit(f.permit)
	return nil
}

// latest reads the latest values of keys of one kind and follows them.
func (a *answering) latest(ctx context.Context, found *model.Entity, kind model.KeyKind, keys []string, e *thingsboard.WSEntity) error {
	p := a.allowed(found, kind)
	if p == nil {
		return nil
	}
	f := a.follower(p)
	return a.listen(ctx, found, f, keys, func(ctx context.Context, r subscriptions.Snapshots, o *subscriptions.Opening) error {
		return readLatest(ctx, throughView(r, f.window), found, kind, keys, &f.last, e, o.Read)
	})
}

// readLatest reads the latest values of keys of one kind into last and e.
func readLatest(ctx context.Context, r subscriptions.Snapshots, found *model.Entity, kind model.KeyKind, keys []string,
	last *joined, e *thingsboard.WSEntity, read func(model.Scope, model.Position)) error {
	last.forget()
	for _, scope := range scopesOf(kind) {
		snap, err := r.Latest(ctx, found.Tenant, found.ID, scope, keys)
		if err != nil {
			return err
		}
		read(scope, snap.Position)
		for i := range snap.Points {
			last.put(scope, snap.Points[i].Key, snap.Points[i].Point)
		}
	}
	for _, key := range keys {
		show(e, model.EntityKey{Kind: kind, Key: key}, last.newest(key))
	}
	return nil
}

// series reads ranges and aggregates, and follows those that are live.
func (a *answering) series(ctx context.Context, found *model.Entity, e *thingsboard.WSEntity) error {
	parts := &a.query.parts
	if len(parts.Series) == 0 && len(parts.Aggregates) == 0 {
		return nil
	}
	p := a.allowed(found, 0)
	if p == nil {
		a.empty(e)
		return nil
	}
	f := a.follower(p)
	keys := a.live
	if len(keys) == 0 {
		r, err := a.query.session.hub().Reader()
		if err != nil {
			return err
		}
		_, _, err = a.ranges(ctx, throughView(r, f.window), found, e)
		return err
	}
	budget := a.points
	return a.listen(ctx, found, f, keys, func(ctx context.Context, r subscriptions.Snapshots, o *subscriptions.Opening) error {
		r = throughView(r, f.window)
		a.points = budget
		f.last.forget()
		snap, err := r.Latest(ctx, found.Tenant, found.ID, model.Timeseries, keys)
		if err != nil {
			return err
		}
		for i := range snap.Points {
			f.last.put(model.Timeseries, snap.Points[i].Key, snap.Points[i].Point)
		}
		from, _, err := a.ranges(ctx, r, found, e)
		o.Read(model.Timeseries, from)
		return err
	})
}

// empty shows of each series that is asked for that it has nothing.
func (a *answering) empty(e *thingsboard.WSEntity) {
	for i := range a.query.parts.Series {
		for _, key := range a.query.parts.Series[i].Query.Keys {
			e.Series = append(e.Series, thingsboard.WSKeyPoints{Key: key})
		}
	}
}

// ranges reads the ranges and aggregates of one entity. It returns the position up to which
// nothing is missing of any of them, and the one behind which nothing is in any.
func (a *answering) ranges(ctx context.Context, r subscriptions.Snapshots, found *model.Entity, e *thingsboard.WSEntity) (from, to model.Position, err error) {
	e.Series, e.Aggregates = nil, nil
	first := true
	read := func(p model.Position) {
		if first || p < from {
			from, first = p, false
		}
		to = max(to, p)
	}
	for i := range a.query.parts.Series {
		p, err := a.rangeOf(ctx, r, found, &a.query.parts.Series[i], e)
		if err != nil {
			return 0, 0, err
		}
		read(p)
	}
	for i := range a.query.parts.Aggregates {
		part := &a.query.parts.Aggregates[i]
		answer := thingsboard.WSAggregated{ID: part.ID}
		if !part.OnlyPrevious {
			point, p, err := a.aggregate(ctx, r, found, part, part.From, part.To)
			if err != nil {
				return 0, 0, err
			}
			answer.Current = point
			read(p)
		}
		if part.Compare {
			point, p, err := a.aggregate(ctx, r, found, part, part.PreviousFrom, part.PreviousTo)
			if err != nil {
				return 0, 0, err
			}
			answer.Previous = point
			read(p)
		}
		e.Aggregates = append(e.Aggregates, answer)
	}
	return from, to, nil
}

// read runs a query within what may still be read.
func (a *answering) read(ctx context.Context, r subscriptions.Snapshots, q *model.RangeQuery, add func(key string, p thingsboard.WSPoint)) (model.Position, error) {
	if a.points <= 0 {
		return 0, &model.BudgetError{Kind: model.BudgetPoints, Limit: int64(a.query.session.server.limits.HistoryPoints)}
	}
	q.Budget.Points = a.points
	if q.Aggregates == 0 {
		return r.Raw(ctx, q, func(key string, points []model.Point) error {
			a.points -= int64(len(points))
			for i := range points {
				add(key, thingsboard.WSPoint{Point: points[i]})
			}
			return nil
		})
	}
	return r.Aggregate(ctx, q, func(key string, buckets []model.Bucket) error {
		a.points -= int64(len(buckets))
		for i := range buckets {
			b := &buckets[i]
			if v := b.Value(q.Aggregates); !v.IsNone() {
				add(key, thingsboard.WSPoint{Point: model.Point{TS: b.Mid(), Value: v}, Aggregated: true, Count: b.Count})
			}
		}
		return nil
	})
}

// rangeOf reads one range: raw points newest first, aggregates oldest first.
func (a *answering) rangeOf(ctx context.Context, r subscriptions.Snapshots, found *model.Entity, part *thingsboard.WSSeries, e *thingsboard.WSEntity) (model.Position, error) {
	q := part.Query
	q.Tenant, q.Entity = found.Tenant, found.ID
	at := make(map[string]int, len(q.Keys))
	for _, key := range q.Keys {
		i := slices.IndexFunc(e.Series, func(s thingsboard.WSKeyPoints) bool { return s.Key == key })
		if i < 0 {
			i = len(e.Series)
			e.Series = append(e.Series, thingsboard.WSKeyPoints{Key: key})
		}
		e.Series[i].Points = nil // tsCmd stands before historyCmd
		at[key] = i
	}
	add := func(key string, p thingsboard.WSPoint) {
		s := &e.Series[at[key]]
		s.Points = append(s.Points, p)
	}
	pos, err := a.read(ctx, r, &q, add)
	if err != nil || !part.Previous {
		return pos, err
	}
	before := model.RangeQuery{
		Tenant: q.Tenant, Entity: q.Entity, Scope: q.Scope, Keys: q.Keys,
		From: max(0, q.From-previousYear), To: q.From, Limit: 1, Descending: true,
	}
	if before.From < before.To {
		if _, err := a.read(ctx, r, &before, add); err != nil {
			return 0, err
		}
	}
	for _, i := range at {
		slices.SortStableFunc(e.Series[i].Points, func(x, y thingsboard.WSPoint) int {
			switch {
			case x.TS > y.TS:
				return -1
			case x.TS < y.TS:
				return 1
			}
			return 0
		})
	}
	return pos, nil
}

// aggregate reads one value over a whole range. Where there is nothing, sums and counts are
// zero in the middle of the range, and the others no value at time zero.
func (a *answering) aggregate(ctx context.Context, r subscriptions.Snapshots, found *model.Entity, part *thingsboard.WSAggregate, from, to int64) (*thingsboard.WSPoint, model.Position, error) {
	q := model.RangeQuery{
		Tenant: found.Tenant, Entity: found.ID, Scope: model.Timeseries, Keys: []string{part.Key}, From: from, To: to,
		Aggregates: part.Function, Every: model.Interval{Unit: model.Fixed, Width: to - from},
	}
	var point *thingsboard.WSPoint
	p, err := a.read(ctx, r, &q, func(_ string, p thingsboard.WSPoint) { point = &p })
	if point == nil {
		point = new(thingsboard.WSPoint)
		if part.Function.Any(model.Sum | model.Count) {
			*point = thingsboard.WSPoint{Point: model.Point{TS: from + (to-from)/2, Value: model.Int(0)}, Aggregated: true}
		}
	}
	return point, p, err
}

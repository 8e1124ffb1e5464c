package api

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

const (
	// maxSeries bounds the series of one query: entities times keys.
	maxSeries = 100_000
	// seriesPage is how many points a page of them has unless the query says otherwise.
	seriesPage = 100_000
)

// QuerySeries answers POST /api/telemetry/query: the history of many series.
func (s *Server) QuerySeries(ctx context.Context, req QuerySeriesRequestObject) (QuerySeriesResponseObject, error) {
	b := borrow()
	defer b.giveBack()
	raw, err := b.read(req.Body)
	if err != nil {
		return nil, err
	}
	q, err := thingsboard.ParseSeriesQuery(raw, caller(ctx), thingsboard.QueryOptions{Zone: s.Zone})
	if err != nil {
		return nil, err
	}
	a := &seriesAnswer{ctx: ctx, server: s, query: q, kind: exportKind(requestOf(ctx).http.Header.Get("Accept"))}
	if a.kind != "" && (q.PageSize > 0 || q.Cursor != "") {
		return nil, model.Invalidf("CSV and NDJSON are no pages: they take no pageSize and no cursor")
	}
	a.op = auth.ReadTelemetry
	if q.Range.Scope != model.Timeseries {
		a.op = auth.ReadAttributes
	}
	if a.entities, err = a.find(); err != nil {
		return nil, err
	}
	if a.from, err = a.resume(); err != nil {
		return nil, err
	}
	if err := a.plan(); err != nil {
		return nil, err
	}
	return a, nil
}

// A seriesAnswer is the history of many series, read while it is sent.
type seriesAnswer struct {
	ctx      context.Context //nolint:containedctx // the answer is written within the request
	server   *Server
	query    *thingsboard.SeriesQuery
	kind     string // "" is JSON
	op       auth.Op
	entities []*model.Entity
	from     *seriesCursor // nil at the beginning

	queries []model.RangeQuery
	owners  []*model.Entity // of queries

	cuts iter.Seq2[int64, int64] // every bucket of the range, where they are filled
}

// find returns the entities asked for that the caller may read of, in the order asked, or by
// id where a filter chose them.
func (a *seriesAnswer) find() ([]*model.Entity, error) {
	s, who := a.server, caller(a.ctx)
	if a.query.Find == nil {
		list := make([]*model.Entity, 0, len(a.query.Refs))
		for _, ref := range a.query.Refs {
			e, err := s.series(a.ctx, a.op, EntityType(ref.Type), model.ID(ref.ID))
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		}
		return list, nil
	}
	found, err := s.Finder.Entities(a.ctx, who, a.query.Find)
	if err != nil {
		return nil, err
	}
	list := make([]*model.Entity, 0, len(found))
	for _, e := range found {
		if EntityType(e.Type).Valid() && a.allowed(e) == nil {
			list = append(list, e)
		}
	}
	if len(list) > thingsboard.MaxSeriesEntities {
		return nil, model.Invalidf("entityFilter finds %d entities, which exceed the limit of %d", len(list), thingsboard.MaxSeriesEntities)
	}
	slices.SortFunc(list, func(x, y *model.Entity) int { return strings.Compare(string(x.ID[:]), string(y.ID[:])) })
	return list, nil
}

// allowed says whether the caller may read of an entity, as of now.
func (a *seriesAnswer) allowed(e *model.Entity) error {
	_, err := a.server.guard.Allow(caller(a.ctx), a.op, e.Ref())
	return err
}

// plan makes a query of the engine of each entity.
func (a *seriesAnswer) plan() error {
	n := 0
	add := func(e *model.Entity, keys []string, change func(*model.RangeQuery)) error {
		if n += len(keys); n > maxSeries {
			return model.Invalidf("The query is of more than %d series; ask for fewer entities or keys", maxSeries)
		}
		if len(keys) == 0 {
			return nil
		}
		q := a.query.Range
		q.Tenant, q.Entity, q.Keys = e.Tenant, e.ID, keys
		if change != nil {
			change(&q)
		}
		a.queries, a.owners = append(a.queries, q), append(a.owners, e)
		return nil
	}
	for _, e := range a.left() {
		keys := a.query.Range.Keys
		if keys == nil {
			var err error
			if keys, err = a.server.Store.Keys(a.ctx, e.Tenant, e.ID, a.query.Range.Scope); err != nil {
				return err
			}
		}
		if a.from != nil && e.ID == a.from.entity {
			at := a.from.index(keys, a.query.Range.Keys == nil)
			if at < len(keys) && keys[at] == a.from.key {
				if err := add(e, keys[at:at+1], a.from.goOn); err != nil {
					return err
				}
				at++
			}
			keys = keys[at:]
		}
		if err := add(e, keys, nil); err != nil {
			return err
		}
	}
	return nil
}

// left returns the entities that the pages so far do not have all of.
func (a *seriesAnswer) left() []*model.Entity {
	if a.from == nil {
		return a.entities
	}
	at := slices.IndexFunc(a.entities, func(e *model.Entity) bool {
		if a.query.Find == nil {
			return e.ID == a.from.entity
		}
		return strings.Compare(string(e.ID[:]), string(a.from.entity[:])) >= 0
	})
	if at < 0 {
		return nil
	}
	return a.entities[at:]
}

// VisitQuerySeriesResponse implements QuerySeriesResponseObject.
func (a *seriesAnswer) VisitQuerySeriesResponse(w http.ResponseWriter) error {
	columns := []string{"value"}
	if a.query.Range.Aggregates != 0 {
		columns = thingsboard.AggregateColumns(a.query.Functions)
	}
	t, err := a.server.newTableStream(a.ctx, w, a.kind, a.query.By, columns, a.allowed)
	if err != nil {
		return err
	}
	defer t.close()
	next := ""
	switch {
	case a.query.Range.Aggregates == 0 && t.isExport():
		err = a.exportPoints(t)
	case a.query.Range.Aggregates == 0:
		next, err = a.points(t)
	case a.query.By&(thingsboard.ByEntity|thingsboard.ByKey) == thingsboard.ByEntity|thingsboard.ByKey:
		err = a.buckets(t)
	default:
		err = a.groups(t)
	}
	return t.finish(err, func() []byte { return t.table.Finish(next != "", next) })
}

// name returns what tells a series of an entity.
func (a *seriesAnswer) name(e *model.Entity, key string) *thingsboard.SeriesName {
	return &thingsboard.SeriesName{Entity: e, Type: e.Profile, Key: key}
}

// points writes a page of points, and returns the cursor of the next one.
func (a *seriesAnswer) points(t *tableStream) (next string, err error) {
	left := a.query.PageSize
	if left == 0 {
		left = seriesPage
	}
	limit := a.query.Range.Limit
	series, owners := a.apart(left)
	open, of := -1, 0 // the series that is written, and how many points of it were told
	truncated := false
	// What is read ahead of a page counts as delivered, so the page is the bound.
	_, err = a.server.Store.RawMany(a.ctx, model.Budget{Points: -1}, series, func(i int, key string, points []model.Point) error {
		switch {
		case next != "" && i != open:
			return model.ErrEnough
		case next != "":
			return nil
		case i != open:
			t.table.EndSeries(truncated)
			open, of, truncated, t.entity = i, 0, false, owners[i]
			if a.from != nil && a.from.entity == t.entity.ID && a.from.key == key {
				of = a.from.told
			}
			if left > 0 {
				t.table.Series(a.name(t.entity, key))
			}
		}
		if limit > 0 && of+len(points) > limit {
			points, truncated = points[:limit-of], true
		}
		if len(points) > left {
			c := seriesCursor{entity: t.entity.ID, key: key, ts: points[left].TS, told: of + left}
			next = c.encode(a.query.Fingerprint)
			points, truncated = points[:left], true
		}
		for _, p := range points {
			t.table.Row(p.TS, p.Value)
		}
		of, left = of+len(points), left-len(points)
		return t.full()
	})
	t.table.EndSeries(truncated)
	return next, err
}

// apart returns a query for each series, which ask for one point more than is told, up to a
// page: it tells that there are more.
func (a *seriesAnswer) apart(page int) (series []model.RangeQuery, owners []*model.Entity) {
	for i := range a.queries {
		q := a.queries[i]
		if q.Limit == 0 || q.Limit > page {
			q.Limit = page
		}
		q.Limit++
		for k := range q.Keys {
			one := q
			one.Keys = q.Keys[k : k+1 : k+1]
			series, owners = append(series, one), append(owners, a.owners[i])
		}
	}
	return series, owners
}

// exportPage is how many points of a series are read at a time. Between two reads nothing of
// the store is held, however slow the client.
const exportPage = 64 << 10

// exportPoints writes all points.
func (a *seriesAnswer) exportPoints(t *tableStream) error {
	var damage model.DamageError
	for i := range a.queries {
		t.entity = a.owners[i]
		if err := a.allowed(t.entity); err != nil {
			return err
		}
		for _, key := range a.queries[i].Keys {
			q := a.queries[i]
			q.Keys = []string{key}
			t.table.Series(a.name(t.entity, key))
			if err := t.exportSeries(&q, &damage); err != nil {
				return err
			}
		}
	}
	return told(&damage)
}

// told returns what an answer lacks as an error, if it lacks something.
func told(damage *model.DamageError) error {
	if len(damage.Places) > 0 {
		return damage
	}
	return nil
}

// exportSeries writes the points of a query of one key, of which it adds the damage.
func (t *tableStream) exportSeries(q *model.RangeQuery, damage *model.DamageError) error {
	left := q.Limit
	q.Budget = t.budget()
	for {
		if q.Limit = exportPage; left > 0 {
			q.Limit = min(left, exportPage)
		}
		n := 0
		page, err := t.server.Store.RawPage(t.ctx, q, func(_ string, points []model.Point) error {
			for _, p := range points {
				t.table.Row(p.TS, p.Value)
			}
			n += len(points)
			return t.full()
		})
		if e, ok := errors.AsType[*model.DamageError](err); ok {
			damage.Places = append(damage.Places, e.Places...)
		} else if err != nil {
			return err
		}
		if left > 0 {
			if left -= n; left <= 0 {
				return nil
			}
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return nil
		}
	}
}

// buckets writes the aggregates of series that stay apart.
func (a *seriesAnswer) buckets(t *tableStream) error {
	series := 0
	for i := range a.queries {
		series += len(a.queries[i].Keys)
	}
	if err := a.planFill(series, t.isExport()); err != nil {
		return err
	}
	_, err := a.server.Store.AggregateMany(a.ctx, t.budget(), a.queries, func(i int, key string, buckets []model.Bucket) error {
		t.entity = a.owners[i]
		return a.tell(t, a.name(t.entity, key), buckets)
	})
	return err
}

// groups writes the aggregates of series that are added up.
func (a *seriesAnswer) groups(t *tableStream) error {
	var names []*thingsboard.SeriesName
	index := map[thingsboard.SeriesName]int{}
	of := make([][]int, len(a.queries))
	for i := range a.queries {
		for _, key := range a.queries[i].Keys {
			n := thingsboard.SeriesName{}
			if a.query.By&thingsboard.ByEntity != 0 {
				n.Entity = a.owners[i]
			}
			if a.query.By&thingsboard.ByType != 0 {
				n.Type = a.owners[i].Profile
			}
			if a.query.By&thingsboard.ByKey != 0 {
				n.Key = key
			}
			at, ok := index[n]
			if !ok {
				at = len(names)
				index[n], names = at, append(names, &n)
			}
			of[i] = append(of[i], at)
		}
	}
	if err := a.planFill(len(names), t.isExport()); err != nil {
		return err
	}
	_, err := a.server.Store.AggregateGroups(a.ctx, t.budget(), &a.query.Range, a.queries, len(names),
		func(i, key int) int { return of[i][key] },
		func(group int, buckets []model.Bucket) error { return a.tell(t, names[group], buckets) })
	return err
}

// tell writes the buckets of a series.
func (a *seriesAnswer) tell(t *tableStream, name *thingsboard.SeriesName, buckets []model.Bucket) error {
	t.table.Series(name)
	if a.query.Fill != nil {
		if err := a.fill(t, buckets); err != nil {
			return err
		}
	} else {
		for i := range buckets {
			t.table.Bucket(a.query.Stamp.Of(&buckets[i]), a.query.Functions, &buckets[i])
		}
	}
	t.table.EndSeries(false)
	return t.full()
}

// fill writes a row for every bucket of the range.
func (a *seriesAnswer) fill(t *tableStream, buckets []model.Bucket) error {
	rows := 0
	return a.query.Fill.Rows(a.cuts, a.query.Functions, buckets, func(b *model.Bucket, values []model.Value) error {
		t.table.Row(a.query.Stamp.Of(b), values...)
		if rows++; rows%1024 == 0 {
			return t.full()
		}
		return nil
	})
}

// planFill refuses a filled answer in JSON whose rows, for that many series, could be more than
// its limit. What is stored does not bound them.
func (a *seriesAnswer) planFill(series int, export bool) (err error) {
	if a.query.Fill == nil {
		return nil
	}
	n, cuts, err := a.server.Store.Buckets(&a.query.Range)
	if err != nil {
		return err
	}
	if a.cuts = cuts; !export && n*int64(series) > thingsboard.MaxSeriesPage {
		return model.Invalidf("A filled answer of %d buckets for %d series may have more than %d rows; ask for wider buckets, fewer series, or CSV or NDJSON",
			n, series, thingsboard.MaxSeriesPage)
	}
	return nil
}

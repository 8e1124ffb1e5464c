package api

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// series authorizes op on the series of an entity.
func (s *Server) series(ctx context.Context, op auth.Op, t EntityType, id model.ID) (*model.Entity, error) {
	if !t.Valid() {
		return nil, &model.Error{
			Kind: model.Invalid, Message: "Unsupported entity type: " + clip(string(t)), Err: thingsboard.ErrParameter,
		}
	}
	return s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityType(t), ID: model.EntityID(id)})
}

// clip keeps what a client sent short enough to be sent back.
func clip(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), 64)], "")
}

// GetTimeseriesKeys answers GET …/keys/timeseries.
func (s *Server) GetTimeseriesKeys(ctx context.Context, req GetTimeseriesKeysRequestObject) (GetTimeseriesKeysResponseObject, error) {
	e, err := s.series(ctx, auth.ReadTelemetry, req.EntityType, req.EntityID)
	if err != nil {
		return nil, err
	}
	keys, err := s.Store.Keys(ctx, e.Tenant, e.ID, model.Timeseries)
	if err != nil {
		return nil, err
	}
	b := borrow()
	b.out = thingsboard.AppendKeys(b.out[:0], keys)
	return hotAnswer{request: requestOf(ctx), scratch: b}, nil
}

// GetTimeseries answers GET …/values/timeseries: latest values, or the history when both
// ends of a range are given.
func (s *Server) GetTimeseries(ctx context.Context, req GetTimeseriesRequestObject) (GetTimeseriesResponseObject, error) {
	e, err := s.series(ctx, auth.ReadTelemetry, req.EntityType, req.EntityID)
	if err != nil {
		return nil, err
	}
	q := &req.Params
	h := thingsboard.HistoryParams{
		Keys: q.Keys, Key: listOf(q.Key), StartTS: q.StartTS, EndTS: q.EndTS,
		Agg: textOf(q.Agg), Aggs: textsOf(q.Aggs), IntervalType: textOf(q.IntervalType), Interval: valueOf(q.Interval),
		TimeZone: orEmpty(q.TimeZone), Limit: intOf(q.Limit), OrderBy: textOf(q.OrderBy),
	}
	strict := valueOf(q.UseStrictDataTypes)
	if h.IsHistory() && q.At != nil {
		return nil, model.Invalidf("Parameter 'at' and a range exclude each other")
	}
	if h.IsHistory() {
		return s.history(ctx, e, model.Timeseries, &h, strict)
	}
	keys := thingsboard.ParseKeys(h.Keys, h.Key)
	var damage model.DamageError
	latest, err := s.latest(ctx, e, model.Timeseries, keys, q.At, &damage)
	if err != nil {
		return nil, err
	}
	now := s.Now().UnixMilli()
	if q.At != nil {
		now = *q.At
	}
	b := borrow()
	b.out = thingsboard.AppendLatest(b.out[:0], latest.Points, keys, now, strict)
	return hotAnswer{request: requestOf(ctx), scratch: b, damage: damage}, nil
}

// latest returns the latest values, or those of an instant. What that lacks is added to damage
// where the client knows of it.
func (s *Server) latest(ctx context.Context, e *model.Entity, scope model.Scope, keys []string, at *int64, damage *model.DamageError) (model.Snapshot, error) {
	if at == nil {
		return s.Store.Latest(ctx, e.Tenant, e.ID, scope, keys)
	}
	state, err := s.Store.StateAt(ctx, e.Tenant, e.ID, scope, keys, *at)
	if told, ok := errors.AsType[*model.DamageError](err); ok && takesDamage(requestOf(ctx)) {
		damage.Places = append(damage.Places, told.Places...)
		err = nil
	}
	return state, err
}

// GetTimeseriesHistory answers GET …/values/timeseries/history.
func (s *Server) GetTimeseriesHistory(ctx context.Context, req GetTimeseriesHistoryRequestObject) (GetTimeseriesHistoryResponseObject, error) {
	e, err := s.series(ctx, auth.ReadTelemetry, req.EntityType, req.EntityID)
	if err != nil {
		return nil, err
	}
	q := &req.Params
	return s.history(ctx, e, model.Timeseries, &thingsboard.HistoryParams{
		Keys: q.Keys, Key: listOf(q.Key), StartTS: &q.StartTS, EndTS: &q.EndTS,
		Agg: textOf(q.Agg), Aggs: textsOf(q.Aggs), IntervalType: textOf(q.IntervalType), Interval: valueOf(q.Interval),
		TimeZone: orEmpty(q.TimeZone), Limit: intOf(q.Limit), OrderBy: textOf(q.OrderBy),
	}, valueOf(q.UseStrictDataTypes))
}

// GetTimeseriesPage answers GET …/values/timeseries/page.
func (s *Server) GetTimeseriesPage(ctx context.Context, req GetTimeseriesPageRequestObject) (GetTimeseriesPageResponseObject, error) {
	e, err := s.series(ctx, auth.ReadTelemetry, req.EntityType, req.EntityID)
	if err != nil {
		return nil, err
	}
	q := &req.Params
	h := thingsboard.HistoryParams{
		Keys: q.Keys, Key: listOf(q.Key), StartTS: &q.StartTS, EndTS: &q.EndTS, Limit: intOf(q.Limit), OrderBy: textOf(q.OrderBy),
	}
	page, err := h.RangeQuery(thingsboard.QueryOptions{})
	if err != nil {
		return nil, err
	}
	page.Tenant, page.Entity, page.Cursor = e.Tenant, e.ID, valueOf(q.Cursor)
	return historyAnswer{ctx: ctx, server: s, entity: e, query: page, strict: valueOf(q.UseStrictDataTypes), paged: true}, nil
}

// GetAttributesHistory answers GET …/values/attributes/{scope}/history.
func (s *Server) GetAttributesHistory(ctx context.Context, req GetAttributesHistoryRequestObject) (GetAttributesHistoryResponseObject, error) {
	scope, err := thingsboard.ParseScope(string(req.Scope))
	if err != nil {
		return nil, err
	}
	e, err := s.series(ctx, auth.ReadAttributes, req.EntityType, req.EntityID)
	if err != nil {
		return nil, err
	}
	q := &req.Params
	return s.history(ctx, e, scope, &thingsboard.HistoryParams{
		Keys: q.Keys, Key: listOf(q.Key), StartTS: &q.StartTS, EndTS: &q.EndTS, Limit: intOf(q.Limit), OrderBy: textOf(q.OrderBy),
	}, valueOf(q.UseStrictDataTypes))
}

// history checks a history query. It is read while it is sent.
func (s *Server) history(ctx context.Context, e *model.Entity, scope model.Scope, h *thingsboard.HistoryParams, strict bool) (historyAnswer, error) {
	a := historyAnswer{ctx: ctx, server: s, entity: e, strict: strict}
	a.kind = exportKind(requestOf(ctx).http.Header.Get("Accept"))
	var err error
	a.query, err = h.RangeQuery(thingsboard.QueryOptions{MaxBuckets: s.Limits.Buckets, Zone: s.Zone, Export: a.kind != ""})
	if err != nil {
		return a, err
	}
	a.query.Tenant, a.query.Entity, a.query.Scope = e.Tenant, e.ID, scope
	if a.query.Aggregates != 0 {
		a.several = len(h.Aggs) > 0
		a.functions, err = h.Functions()
	}
	return a, err
}

// SaveTimeseries answers POST …/timeseries/{scope}.
func (s *Server) SaveTimeseries(ctx context.Context, req SaveTimeseriesRequestObject) (SaveTimeseriesResponseObject, error) {
	how, err := originalsOf(req.Params.KeepOriginals, req.Params.Quality)
	if err != nil {
		return nil, err
	}
	if err := s.saveTimeseries(ctx, req.EntityType, req.EntityID, req.Body, 0, how); err != nil {
		return nil, err
	}
	return SaveTimeseries200Response{}, nil
}

// SaveTimeseriesWithTTL answers POST …/timeseries/{scope}/{ttl}.
func (s *Server) SaveTimeseriesWithTTL(ctx context.Context, req SaveTimeseriesWithTTLRequestObject) (SaveTimeseriesWithTTLResponseObject, error) {
	how, err := originalsOf(req.Params.KeepOriginals, req.Params.Quality)
	if err != nil {
		return nil, err
	}
	if err := s.saveTimeseries(ctx, req.EntityType, req.EntityID, req.Body, req.TTL, how); err != nil {
		return nil, err
	}
	return SaveTimeseriesWithTTL200Response{}, nil
}

// maxTTL is a hundred years, in seconds, as in the engine.
const maxTTL = 36525 * 24 * 3600

// saveTimeseries writes a telemetry body; ttl is in seconds.
func (s *Server) saveTimeseries(ctx context.Context, t EntityType, id model.ID, body io.Reader, ttl int64, how originals) error {
	e, err := s.series(ctx, auth.WriteTelemetry, t, id)
	switch {
	case err != nil:
		return err
	case e.Type == model.EntityEntityView:
		return readOnlyView()
	case ttl < 0:
		return model.Invalidf("TTL can't be negative")
	case ttl > maxTTL:
		return model.Invalidf("TTL of %d seconds exceeds the limit of %d", ttl, int64(maxTTL))
	}
	return s.write(ctx, e, body, func(p *thingsboard.Parser, raw []byte) (*model.WriteSet, error) {
		set, err := p.Telemetry(raw, s.Now().UnixMilli(), s.parseOptions(true))
		if err == nil {
			set.TTL = ttl * 1000
			how.ask(set)
		}
		return set, err
	}, s.Writer.Save)
}

// readOnlyView refuses to change time series through a view (contract thingsboard 8.4).
func readOnlyView() error {
	return model.Invalidf("Telemetry data can't be stored for entity view. Read only")
}

// DeleteTimeseries answers DELETE …/timeseries/delete.
func (s *Server) DeleteTimeseries(ctx context.Context, req DeleteTimeseriesRequestObject) (DeleteTimeseriesResponseObject, error) {
	e, err := s.series(ctx, auth.WriteTelemetry, req.EntityType, req.EntityID)
	if err != nil {
		return nil, err
	}
	if e.Type == model.EntityEntityView {
		return nil, readOnlyView()
	}
	q := &req.Params
	params := thingsboard.DeleteParams{
		Keys: q.Keys, Key: listOf(q.Key), DeleteAllDataForKeys: valueOf(q.DeleteAllDataForKeys),
		StartTS: q.StartTS, EndTS: q.EndTS,
		DeleteLatest: q.DeleteLatest, RewriteLatestIfDeleted: valueOf(q.RewriteLatestIfDeleted),
	}
	d, err := params.DeleteRange(s.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	if d.To <= d.From {
		return DeleteTimeseries200Response{}, nil // [startTs, endTs) holds nothing
	}
	d.Tenant, d.Entity = e.Tenant, e.ID
	if _, err := s.Store.Delete(ctx, d); err != nil {
		return nil, err
	}
	return DeleteTimeseries200Response{}, nil
}

// The generated layer gives optional parameters as pointers.

func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func textOf[T ~string](p *T) string { return string(valueOf(p)) }

func textsOf[T ~string](p *[]T) (texts []string) {
	for _, v := range valueOf(p) {
		texts = append(texts, string(v))
	}
	return texts
}

func listOf(p *[]string) []string { return valueOf(p) }

func intOf(p *int32) *int {
	if p == nil {
		return nil
	}
	n := int(*p)
	return &n
}

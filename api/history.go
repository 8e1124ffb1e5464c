package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// A historyAnswer is the history of one entity. It is read from the store while it is sent, so
// that its size costs no memory.
type historyAnswer struct {
	ctx       context.Context //nolint:containedctx // the answer is written within the request
	server    *Server
	entity    *model.Entity
	query     model.RangeQuery
	functions []model.Aggregates // of query.Aggregates, in the order asked
	several   bool               // a row has a member for each function, and no value
	strict    bool
	paged     bool
	kind      string // of an export; "" is JSON
}

// VisitGetTimeseriesResponse implements GetTimeseriesResponseObject.
func (a historyAnswer) VisitGetTimeseriesResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetTimeseriesHistoryResponse implements GetTimeseriesHistoryResponseObject.
func (a historyAnswer) VisitGetTimeseriesHistoryResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitGetTimeseriesPageResponse implements GetTimeseriesPageResponseObject.
func (a historyAnswer) VisitGetTimeseriesPageResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetAttributesHistoryResponse implements GetAttributesHistoryResponseObject.
func (a historyAnswer) VisitGetAttributesHistoryResponse(w http.ResponseWriter) error {
	return a.write(w)
}

func (a historyAnswer) write(w http.ResponseWriter) error {
	if a.kind != "" {
		return a.export(w)
	}
	b := borrow()
	defer b.giveBack()
	out := sender{w: w, request: requestOf(a.ctx)}
	var h thingsboard.History
	begin := b.out[:0]
	if a.paged {
		begin = append(begin, `{"data":`...)
	}
	h.Reset(begin, a.strict)
	defer func() { b.out = h.Buf }()

	page, err := a.read(&h, &out)
	if told, ok := errors.AsType[*model.DamageError](err); ok && takesDamage(out.request) {
		out.damaged(told)
		err = nil
	}
	if err != nil {
		return out.fail(err)
	}
	body := h.Finish
	if a.paged {
		body = func() []byte { return h.FinishPage(page.Truncated, page.Cursor) }
	}
	if err := out.finish(body()); err != nil {
		return out.fail(err)
	}
	return nil
}

// read writes the answer into h, sending it off in chunks.
func (a historyAnswer) read(h *thingsboard.History, out *sender) (page model.RawPage, err error) {
	if len(a.query.Keys) == 0 {
		return page, nil
	}
	store := a.server.Store
	// What has gathered leaves when more comes: the end is sent with what is before it, and an
	// answer that came at once goes out at once.
	room := func() error {
		if len(h.Buf) < chunk {
			return nil
		}
		err := out.send(h.Buf)
		h.Buf = h.Buf[:0]
		return err
	}
	points := func(key string, points []model.Point) error {
		if err := room(); err != nil {
			return err
		}
		return h.Points(key, points)
	}
	switch {
	case a.query.Aggregates != 0:
		_, err = store.Aggregate(a.ctx, &a.query, func(key string, buckets []model.Bucket) error {
			if err := room(); err != nil {
				return err
			}
			if a.several {
				h.Rows(key, a.functions, buckets)
			} else {
				h.Buckets(key, a.query.Aggregates, buckets)
			}
			return nil
		})
	case a.paged:
		page, err = store.RawPage(a.ctx, &a.query, points)
	default:
		_, err = store.Raw(a.ctx, &a.query, points)
	}
	return page, err
}

// export streams the history as a table.
func (a historyAnswer) export(w http.ResponseWriter) error {
	columns := []string{"value"}
	if a.several {
		columns = thingsboard.AggregateColumns(a.functions)
	}
	op := auth.ReadTelemetry
	if a.query.Scope != model.Timeseries {
		op = auth.ReadAttributes
	}
	t, err := a.server.newTableStream(a.ctx, w, a.kind, thingsboard.ByKey, columns, func(e *model.Entity) error {
		_, err := a.server.guard.Allow(caller(a.ctx), op, e.Ref())
		return err
	})
	if err != nil {
		return err
	}
	defer t.close()
	t.entity = a.entity
	if a.query.Aggregates != 0 && len(a.query.Keys) > 0 {
		a.query.Budget = t.budget()
		_, err = a.server.Store.Aggregate(a.ctx, &a.query, func(key string, buckets []model.Bucket) error {
			t.table.Series(&thingsboard.SeriesName{Key: key})
			for i := range buckets {
				t.table.Bucket(buckets[i].Mid(), a.functions, &buckets[i])
			}
			return t.full()
		})
	} else {
		var damage model.DamageError
		for i := 0; i < len(a.query.Keys) && err == nil; i++ {
			q := a.query
			q.Keys = q.Keys[i : i+1]
			t.table.Series(&thingsboard.SeriesName{Key: q.Keys[0]})
			err = t.exportSeries(&q, &damage)
		}
		if err == nil {
			err = told(&damage)
		}
	}
	return t.finish(err, func() []byte { return t.table.Finish(false, "") })
}

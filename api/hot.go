package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// A hotAnswer is JSON already written into a borrowed buffer, in place of generated types
// that would be built only to be walked by reflection.
type hotAnswer struct {
	request *request
	scratch *scratch
}

func (a hotAnswer) write(w http.ResponseWriter) error {
	defer a.scratch.giveBack()
	return (&sender{w: w, request: a.request}).finish(a.scratch.out)
}

// VisitGetTimeseriesKeysResponse implements GetTimeseriesKeysResponseObject.
func (a hotAnswer) VisitGetTimeseriesKeysResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetTimeseriesResponse implements GetTimeseriesResponseObject.
func (a hotAnswer) VisitGetTimeseriesResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetAttributeKeysResponse implements GetAttributeKeysResponseObject.
func (a hotAnswer) VisitGetAttributeKeysResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetAttributeKeysByScopeResponse implements GetAttributeKeysByScopeResponseObject.
func (a hotAnswer) VisitGetAttributeKeysByScopeResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitGetAttributesResponse implements GetAttributesResponseObject.
func (a hotAnswer) VisitGetAttributesResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetAttributesByScopeResponse implements GetAttributesByScopeResponseObject.
func (a hotAnswer) VisitGetAttributesByScopeResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetDeviceAttributesResponse implements GetDeviceAttributesResponseObject.
func (a hotAnswer) VisitGetDeviceAttributesResponse(w http.ResponseWriter) error { return a.write(w) }

// A historyAnswer is read from the store while it is sent, so that its size costs no memory.
type historyAnswer struct {
	ctx    context.Context //nolint:containedctx // the answer is written within the request
	store  Store
	query  model.RangeQuery
	strict bool
}

// VisitGetTimeseriesResponse implements GetTimeseriesResponseObject.
func (a historyAnswer) VisitGetTimeseriesResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetTimeseriesHistoryResponse implements GetTimeseriesHistoryResponseObject.
func (a historyAnswer) VisitGetTimeseriesHistoryResponse(w http.ResponseWriter) error {
	return a.write(w)
}

func (a historyAnswer) write(w http.ResponseWriter) error {
	b := borrow()
	defer b.giveBack()
	out := sender{w: w, request: requestOf(a.ctx)}
	var h thingsboard.History
	h.Reset(b.out[:0], a.strict)
	defer func() { b.out = h.Buf }()

	err := a.read(&h, &out)
	if told, ok := errors.AsType[*model.DamageError](err); ok && takesDamage(out.request) {
		out.damaged(told)
		err = nil
	}
	if err != nil {
		return out.fail(err)
	}
	if err := out.finish(h.Finish()); err != nil {
		return out.fail(err)
	}
	return nil
}

// read writes the answer into h, sending it off in chunks.
func (a historyAnswer) read(h *thingsboard.History, out *sender) error {
	if len(a.query.Keys) == 0 {
		return nil
	}
	full := func() error {
		if len(h.Buf) < chunk {
			return nil
		}
		err := out.send(h.Buf)
		h.Buf = h.Buf[:0]
		return err
	}
	if f := a.query.Aggregates; f != 0 {
		_, err := a.store.Aggregate(a.ctx, &a.query, func(key string, buckets []model.Bucket) error {
			h.Buckets(key, f, buckets)
			return full()
		})
		return err
	}
	_, err := a.store.Raw(a.ctx, &a.query, func(key string, points []model.Point) error {
		if err := h.Points(key, points); err != nil {
			return err
		}
		return full()
	})
	return err
}

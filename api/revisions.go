package api

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"slices"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// originals is what a save asks for beyond the points.
type originals struct {
	keep    bool
	quality uint8
}

func originalsOf(keep *bool, quality *int32) (o originals, err error) {
	o.keep = valueOf(keep)
	switch q := valueOf(quality); {
	case q < 0 || q > 255:
		return o, model.Invalidf("Parameter 'quality' must be from 0 to 255, but got %d", q)
	case q != 0 && !o.keep:
		return o, model.Invalidf("Parameter 'quality' needs 'keepOriginals'")
	default:
		o.quality = uint8(q)
	}
	return o, nil
}

// ask puts o into a set.
func (o originals) ask(set *model.WriteSet) {
	set.KeepOriginals = o.keep
	if o.quality != 0 {
		set.Qualities = slices.Repeat([]uint8{o.quality}, len(set.Cells))
	}
}

// GetTimeseriesRevisions answers GET …/values/timeseries/revisions.
func (s *Server) GetTimeseriesRevisions(ctx context.Context, req GetTimeseriesRevisionsRequestObject) (GetTimeseriesRevisionsResponseObject, error) {
	e, err := s.series(ctx, auth.ReadTelemetry, req.EntityType, req.EntityID)
	if err != nil {
		return nil, err
	}
	q := &req.Params
	a := &revisionsAnswer{ctx: ctx, server: s, entity: e, kind: exportKind(requestOf(ctx).http.Header.Get("Accept"))}
	h := thingsboard.HistoryParams{Keys: q.Keys, Key: listOf(q.Key), StartTS: &q.StartTS, EndTS: &q.EndTS, Limit: intOf(q.Limit)}
	if a.query, err = h.RangeQuery(thingsboard.QueryOptions{Export: a.kind != ""}); err != nil {
		return nil, err
	}
	a.query.Tenant, a.query.Entity, a.query.Descending = e.Tenant, e.ID, false
	a.query.To = max(a.query.To, a.query.From+1) // as the engine reads it
	a.places = make([]revisionPlace, len(a.query.Keys))
	for i := range a.places {
		a.places[i] = revisionPlace{more: true, ts: a.query.From}
	}
	if cursor := valueOf(q.Cursor); cursor != "" && (a.kind != "" || !a.resume(cursor)) {
		return nil, model.Invalidf("The cursor does not belong to this query; ask for the first page again")
	}
	return a, nil
}

// A revisionsAnswer is every value that instants had, read while it is sent.
type revisionsAnswer struct {
	ctx    context.Context //nolint:containedctx // the answer is written within the request
	server *Server
	entity *model.Entity
	query  model.RangeQuery
	places []revisionPlace // of query.Keys
	kind   string          // of an export; "" is JSON
}

// A revisionPlace is where a key goes on: at an instant, behind some of its revisions. They
// only grow in number, so that is one place whatever is written meanwhile.
type revisionPlace struct {
	more bool
	ts   int64 // ms
	skip int
}

// VisitGetTimeseriesRevisionsResponse implements GetTimeseriesRevisionsResponseObject.
func (a *revisionsAnswer) VisitGetTimeseriesRevisionsResponse(w http.ResponseWriter) error {
	if a.kind != "" {
		return a.export(w)
	}
	b := borrow()
	defer b.giveBack()
	out := sender{w: w, request: requestOf(a.ctx)}
	var h thingsboard.History
	h.Reset(append(b.out[:0], `{"data":`...), true)
	defer func() { b.out = h.Buf }()
	for i, key := range a.query.Keys {
		err := a.read(i, a.query.Limit, func(revisions []model.Revision) error {
			h.Revisions(key, revisions)
			if len(h.Buf) < chunk {
				return nil
			}
			err := out.send(h.Buf)
			h.Buf = h.Buf[:0]
			return err
		})
		if err != nil {
			return out.fail(err)
		}
	}
	if err := out.finish(h.FinishPage(a.truncated(), a.cursor())); err != nil {
		return out.fail(err)
	}
	return nil
}

// read tells at most limit revisions of key i from its place on, and moves the place.
func (a *revisionsAnswer) read(i, limit int, yield func([]model.Revision) error) error {
	p := &a.places[i]
	if !p.more {
		return nil
	}
	q := a.query
	q.Keys, q.From, q.Limit = q.Keys[i:i+1], p.ts, p.skip+limit+1
	skip, left := p.skip, limit
	p.more = false
	_, err := a.server.Store.Revisions(a.ctx, &q, func(_ string, revisions []model.Revision) error {
		n := min(skip, len(revisions))
		skip, revisions = skip-n, revisions[n:]
		if len(revisions) > left {
			p.more, revisions = true, revisions[:left]
		}
		left -= len(revisions)
		for k := range revisions {
			if ts := revisions[k].TS; ts != p.ts {
				p.ts, p.skip = ts, 0
			}
			p.skip++
		}
		if len(revisions) == 0 {
			return nil
		}
		return yield(revisions)
	})
	return err
}

func (a *revisionsAnswer) export(w http.ResponseWriter) error {
	t, err := a.server.newTableStream(a.ctx, w, a.kind, thingsboard.ByKey, []string{"value", "receivedTs", "quality"}, func(e *model.Entity) error {
		_, err := a.server.guard.Allow(caller(a.ctx), auth.ReadTelemetry, e.Ref())
		return err
	})
	if err != nil {
		return err
	}
	defer t.close()
	t.entity = a.entity
	a.query.Budget = t.budget()
	return t.finish(a.exportAll(t), func() []byte { return t.table.Finish(false, "") })
}

func (a *revisionsAnswer) exportAll(t *tableStream) error {
	for i, key := range a.query.Keys {
		t.table.Series(&thingsboard.SeriesName{Key: key})
		for left := a.query.Limit; a.places[i].more; {
			page := exportPage
			if a.query.Limit > 0 {
				page = min(page, left)
			}
			if page == 0 {
				break
			}
			left -= page
			err := a.read(i, page, func(revisions []model.Revision) error {
				for k := range revisions {
					r := &revisions[k]
					received := model.Value{}
					if r.Received != 0 {
						received = model.Int(r.Received)
					}
					t.table.Row(r.TS, r.Value, received, model.Int(int64(r.Quality)))
				}
				return t.full()
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *revisionsAnswer) truncated() (keys []string) {
	for i, p := range a.places {
		if p.more {
			keys = append(keys, a.query.Keys[i])
		}
	}
	return keys
}

// revisionCursorVersion is that of the form of a cursor:
//
//	version <1> | query <4 LE> | of each key: 0, or 1 + ts since the range's start <uvarint>, skip <uvarint>
const revisionCursorVersion = 1

// cursor returns where the next page begins; "" when there is none.
func (a *revisionsAnswer) cursor() string {
	if len(a.truncated()) == 0 {
		return ""
	}
	b := binary.LittleEndian.AppendUint32([]byte{revisionCursorVersion}, a.fingerprint())
	for _, p := range a.places {
		if !p.more {
			b = append(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, 1+uint64(p.ts)-uint64(a.query.From))
		b = binary.AppendUvarint(b, uint64(p.skip))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// resume moves to where a cursor stands; false when it is none of this query.
func (a *revisionsAnswer) resume(cursor string) bool {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) < 5 || b[0] != revisionCursorVersion || binary.LittleEndian.Uint32(b[1:]) != a.fingerprint() {
		return false
	}
	b = b[5:]
	next := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		return v, true
	}
	const most = 1 << 30 // revisions of one instant
	for i := range a.places {
		at, ok := next()
		if !ok || at > uint64(a.query.To)-uint64(a.query.From) {
			return false
		}
		if at == 0 {
			a.places[i].more = false
			continue
		}
		skip, ok := next()
		if !ok || skip > most {
			return false
		}
		a.places[i] = revisionPlace{more: true, ts: int64(uint64(a.query.From) + at - 1), skip: int(skip)}
	}
	return len(b) == 0
}

// fingerprint tells queries apart whose pages must not be mixed.
func (a *revisionsAnswer) fingerprint() uint32 {
	q := &a.query
	b := append([]byte(nil), q.Entity[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(q.From))
	b = binary.LittleEndian.AppendUint64(b, uint64(q.To))
	for _, key := range q.Keys {
		b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
	}
	return crc32.ChecksumIEEE(b)
}

package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// flushEvery is how long what is written of an export may wait for more.
const flushEvery = time.Second

// A tableStream sends a table while it is read. CSV and NDJSON have no cap of rows; their
// memory is a chunk and a page of points. They go at the client's pace: who does not read
// stops the scan, who leaves ends it, and so does the end of the session or of the right to
// read. One that cannot be completed ends with a line that says so, and with a cut connection.
type tableStream struct {
	ctx     context.Context //nolint:containedctx // the answer is written within the request
	server  *Server
	out     sender
	table   thingsboard.Table
	scratch *scratch
	form    thingsboard.TableForm
	entity  *model.Entity // whose rows come
	allowed func(*model.Entity) error
	looked  time.Time // when rights and the time were last looked at
	end     func()
}

var tableForms = map[string]thingsboard.TableForm{kindCSV: thingsboard.TableCSV, kindNDJSON: thingsboard.TableNDJSON}

// newTableStream begins a table of the form that kind, "" being JSON, names. close must follow.
// allowed says whether the caller may still read of an entity.
func (s *Server) newTableStream(ctx context.Context, w http.ResponseWriter, kind string, by thingsboard.Dimensions, columns []string, allowed func(*model.Entity) error) (*tableStream, error) {
	t := &tableStream{
		ctx: ctx, server: s, out: sender{w: w, request: requestOf(ctx), kind: kind}, form: tableForms[kind], allowed: allowed,
		looked: s.Now(), end: func() {},
	}
	if t.isExport() {
		end, err := s.exports.begin(caller(ctx).Tenant)
		if err != nil {
			return nil, err
		}
		t.end = end
	}
	t.scratch = borrow()
	t.table.Reset(t.scratch.out[:0], t.form, by, columns)
	return t, nil
}

func (t *tableStream) close() {
	t.scratch.out = t.table.Buf
	t.scratch.giveBack()
	t.end()
}

// isExport reports whether the answer has no cap of rows.
func (t *tableStream) isExport() bool { return t.form != thingsboard.TableJSON }

// budget is what the whole answer may cost.
func (t *tableStream) budget() model.Budget {
	if t.isExport() {
		return model.Budget{Scanned: -1, Points: -1, Time: -1}
	}
	return model.Budget{Points: thingsboard.MaxSeriesPage}
}

// full sends what has gathered when it is enough, or has waited long enough.
func (t *tableStream) full() error {
	now := t.server.Now()
	waited := now.Sub(t.looked) >= flushEvery
	if waited {
		t.looked = now
		if _, err := t.server.auth.Current(caller(t.ctx)); err != nil {
			return err
		}
		if t.entity != nil {
			if err := t.allowed(t.entity); err != nil {
				return err
			}
		}
	}
	if len(t.table.Buf) < chunk && !waited || len(t.table.Buf) == 0 {
		return nil
	}
	err := t.out.send(t.table.Buf)
	t.table.Buf = t.table.Buf[:0]
	if err == nil && waited {
		err = t.out.flush()
	}
	return err
}

// finish sends the rest of the answer, or what became of it.
func (t *tableStream) finish(err error, rest func() []byte) error {
	if told, ok := errors.AsType[*model.DamageError](err); ok && takesDamage(t.out.request) {
		t.out.damaged(told)
		err = nil
	}
	if err == nil {
		err = t.out.finish(rest())
	}
	if err == nil || !t.out.started || !t.isExport() {
		if err != nil {
			return t.out.fail(err)
		}
		return nil
	}
	message := model.MessageOf(clientError(err), "Internal server error")
	t.table.Fail(message)
	if t.out.send(t.table.Buf) == nil {
		_ = t.out.flush() // the client may be what failed
	}
	return t.out.fail(err)
}

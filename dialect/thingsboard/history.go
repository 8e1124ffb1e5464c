package thingsboard

import (
	"slices"
	"strconv"

	"github.com/tidewire/tidewire/model"
)

// A History writes the answer to a history query (contract 8.3) piece by piece, as the
// engine yields it: {"key":[{"ts":1,"value":"2"},…],…}. Pages of one key follow each other.
// Keys without data are absent.
//
//	h.Reset(buf[:0], strict)
//	err := db.Raw(ctx, &q, h.Points)
//	body := h.Finish()
//
// Between calls the owner may send the bytes in Buf away and cut Buf to length zero.
type History struct {
	Buf []byte

	key    string // of the open array
	open   bool   // an array is open
	strict bool
	stamp  stamp
}

// Reset starts a new answer behind what dst holds. With strict, values keep their types;
// otherwise all are strings.
func (h *History) Reset(dst []byte, strict bool) {
	*h = History{Buf: append(dst, '{'), strict: strict}
	h.stamp.reset(strict)
}

// Points adds raw points of key. It never fails: the error is there to fit the engine.
func (h *History) Points(key string, points []model.Point) error {
	for i := range points {
		h.point(key, points[i].TS, points[i].Value)
	}
	return nil
}

// Buckets adds the result of one aggregate function for buckets of key, stamped with the
// middle of each (9.1). Buckets without a result, such as the average of texts, are left out.
func (h *History) Buckets(key string, f model.Aggregates, buckets []model.Bucket) {
	for i := range buckets {
		v := buckets[i].Value(f)
		if v.IsNone() {
			continue
		}
		h.point(key, buckets[i].Mid(), v)
	}
}

// Rows adds the results of several aggregate functions for buckets of key, each a member of
// its name in place of the value; null is one that a bucket has no result for.
func (h *History) Rows(key string, functions []model.Aggregates, buckets []model.Bucket) {
	for i := range buckets {
		b := &buckets[i]
		if !slices.ContainsFunc(functions, func(f model.Aggregates) bool { return !b.Value(f).IsNone() }) {
			continue
		}
		h.next(key)
		h.Buf = appendTime(append(h.Buf, `{"ts":`...), b.Mid())
		for _, f := range functions {
			h.Buf = appendValue(append(h.Buf, aggregateMember(f)...), b.Value(f), h.strict)
		}
		h.Buf = append(h.Buf, '}')
	}
}

// Revisions adds revisions of key: {"ts":1,"value":2,"receivedTs":3,"quality":0}. A time of
// arrival that is not known is null.
func (h *History) Revisions(key string, revisions []model.Revision) {
	for i := range revisions {
		r := &revisions[i]
		h.next(key)
		h.Buf = strconv.AppendInt(append(h.Buf, `{"ts":`...), r.TS, 10)
		h.Buf = appendValue(append(h.Buf, `,"value":`...), r.Value, h.strict)
		h.Buf = append(h.Buf, `,"receivedTs":`...)
		if r.Received == 0 {
			h.Buf = append(h.Buf, "null"...)
		} else {
			h.Buf = strconv.AppendInt(h.Buf, r.Received, 10)
		}
		h.Buf = strconv.AppendUint(append(h.Buf, `,"quality":`...), uint64(r.Quality), 10)
		h.Buf = append(h.Buf, '}')
	}
}

// next goes to where the next element of key is written.
func (h *History) next(key string) {
	if !h.open || h.key != key {
		h.begin(key)
	} else {
		h.Buf = append(h.Buf, ',')
	}
}

// point adds one element: the stamp, which already holds most of the text, and the value.
func (h *History) point(key string, ts int64, v model.Value) {
	head := h.stamp.at(ts)
	if !h.open || h.key != key {
		h.begin(key)
		head = head[1:] // no comma
	}
	h.Buf = append(h.Buf, head...)
	switch {
	case h.strict:
		h.Buf = append(AppendTyped(h.Buf, v), '}')
	case v.Type() == model.TypeFloat:
		h.Buf = append(appendFloat(h.Buf, v.Float()), '"', '}')
	case v.Type() == model.TypeInt:
		h.Buf = append(strconv.AppendInt(h.Buf, v.Int(), 10), '"', '}')
	default:
		h.Buf = append(AppendQuotedText(h.Buf[:len(h.Buf)-1], v), '}') // brings its own quotes
	}
}

// begin closes the array before and opens that of key.
func (h *History) begin(key string) {
	if h.open {
		h.Buf = append(h.Buf, ']', ',')
	}
	h.Buf = AppendString(h.Buf, key)
	h.Buf = append(h.Buf, ':', '[')
	h.key, h.open = key, true
}

// FinishPage closes the answer as the data of a page: {"data":{…},"truncated":[…],"cursor":…},
// whose beginning the caller has written before Reset. An empty cursor is null.
func (h *History) FinishPage(truncated []string, cursor string) []byte {
	h.Finish()
	h.Buf = AppendKeys(append(h.Buf, `,"truncated":`...), truncated)
	h.Buf = append(h.Buf, `,"cursor":`...)
	if cursor == "" {
		h.Buf = append(h.Buf, "null"...)
	} else {
		h.Buf = AppendString(h.Buf, cursor)
	}
	h.Buf = append(h.Buf, '}')
	return h.Buf
}

// Finish closes the answer and returns the bytes not yet sent away.
func (h *History) Finish() []byte {
	if h.open {
		h.Buf = append(h.Buf, ']')
		h.open = false
	}
	h.Buf = append(h.Buf, '}')
	return h.Buf
}

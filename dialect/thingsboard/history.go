package thingsboard

import (
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
	some   bool   // a key was written before
	strict bool
}

// Reset starts a new answer behind what dst holds. With strict, values keep their types;
// otherwise all are strings.
func (h *History) Reset(dst []byte, strict bool) {
	*h = History{Buf: append(dst, '{'), strict: strict}
}

// Points adds raw points of key. It never fails: the error is there to fit the engine.
func (h *History) Points(key string, points []model.Point) error {
	for i := range points {
		h.next(key)
		h.Buf = appendPoint(h.Buf, points[i], h.strict)
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
		h.next(key)
		h.Buf = appendPoint(h.Buf, model.Point{TS: buckets[i].Mid(), Value: v}, h.strict)
	}
}

// next writes what stands between the previous element and one of key.
func (h *History) next(key string) {
	if h.open && h.key == key {
		h.Buf = append(h.Buf, ',')
		return
	}
	if h.open {
		h.Buf = append(h.Buf, ']')
	}
	if h.some {
		h.Buf = append(h.Buf, ',')
	}
	h.Buf = AppendString(h.Buf, key)
	h.Buf = append(h.Buf, ':', '[')
	h.key, h.open, h.some = key, true, true
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

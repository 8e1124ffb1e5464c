package api

import (
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// A seriesCursor is where a page of points of many series begins. It is by entity, key and
// time: what is written, deleted or created meanwhile makes no other point appear twice or
// not at all.
type seriesCursor struct {
	entity model.EntityID
	key    string
	ts     int64 // ms, of the first point of the page
	told   int   // points of the series on pages before
}

// seriesCursorVersion is that of the form of a cursor:
//
//	version <1> | query <4 LE> | entity <16> | ts <varint> | told <uvarint> | key
const seriesCursorVersion = 1

// encode returns the text of c for a query.
func (c *seriesCursor) encode(fingerprint uint32) string {
	b := binary.LittleEndian.AppendUint32([]byte{seriesCursorVersion}, fingerprint)
	b = append(b, c.entity[:]...)
	b = binary.AppendVarint(b, c.ts)
	b = binary.AppendUvarint(b, uint64(c.told))
	return base64.RawURLEncoding.EncodeToString(append(b, c.key...))
}

// resume reads the cursor of the query, nil when it has none.
func (a *seriesAnswer) resume() (*seriesCursor, error) {
	if a.query.Cursor == "" {
		return nil, nil
	}
	wrong := model.Invalidf("The cursor does not belong to this query; ask for the first page again")
	b, err := base64.RawURLEncoding.DecodeString(a.query.Cursor)
	if err != nil || len(b) < 21 || b[0] != seriesCursorVersion || binary.LittleEndian.Uint32(b[1:]) != a.query.Fingerprint {
		return nil, wrong
	}
	c := &seriesCursor{entity: model.EntityID(b[5:21])}
	b = b[21:]
	var n int
	if c.ts, n = binary.Varint(b); n <= 0 || c.ts < a.query.Range.From || c.ts >= a.query.Range.To {
		return nil, wrong
	}
	b = b[n:]
	told, n := binary.Uvarint(b)
	if n <= 0 || told > 1<<31 || a.query.Range.Limit > 0 && told >= uint64(a.query.Range.Limit) {
		return nil, wrong
	}
	c.told, c.key = int(told), string(b[n:])
	return c, nil
}

// index returns where in keys the page goes on: at its key, or where that stood in a list that
// is sorted.
func (c *seriesCursor) index(keys []string, sorted bool) int {
	if sorted {
		at, _ := slices.BinarySearch(keys, c.key)
		return at
	}
	if at := slices.Index(keys, c.key); at >= 0 {
		return at
	}
	return len(keys)
}

// goOn makes the query of the series of c go on at it.
func (c *seriesCursor) goOn(q *model.RangeQuery) {
	if q.Descending {
		q.To = c.ts + 1
	} else {
		q.From = c.ts
	}
	if q.Limit > 0 {
		q.Limit -= c.told
	}
}

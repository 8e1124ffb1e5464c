package tsdb

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// RawPage answers q as Raw does, for pages: of each key at most q.Limit points from q.Cursor
// on, and what is left. A cursor of another range, other keys or the other order is Invalid;
// the limit may change from page to page. With a *[model.DamageError] the page is good, but for
// what it lacks.
func (db *DB) RawPage(ctx context.Context, q *model.RangeQuery, yield func(key string, points []model.Point) error) (model.RawPage, error) {
	p, err := newPager(q)
	if err != nil {
		return model.RawPage{}, err
	}
	b := q.Budget.Or(db.options.Budget)
	if b.Points > 0 { // whether there is more is told by one point more, which is not delivered
		b.Points += int64(len(q.Keys))
	}
	c := db.call(b, 0)
	found := false
	var damage scan.DamageError
	position, err := db.query(ctx, q, func(series []scan.Series) error {
		found = true
		for i := range series {
			err := p.key(ctx, &db.scanner, c, series, i, yield)
			if noted, ok := errors.AsType[*scan.DamageError](err); ok {
				damage.Damage = append(damage.Damage, noted.Damage...)
			} else if err != nil {
				return err
			}
		}
		if len(damage.Damage) > 0 {
			return &damage
		}
		return nil
	})
	if _, damaged := errors.AsType[*model.DamageError](err); err != nil && !damaged {
		return model.RawPage{}, err
	}
	page := model.RawPage{Position: position}
	for i, ok := range p.more {
		if ok && found {
			page.Truncated = append(page.Truncated, q.Keys[i])
		}
	}
	if len(page.Truncated) > 0 {
		page.Cursor = p.cursor()
	}
	return page, err
}

// A pager knows where each key of a query goes on.
type pager struct {
	query    *model.RangeQuery
	from, to int64
	next     []int64 // ascending: the first instant wanted; descending: behind the last one
	more     []bool  // the key has points from next on, as far as is known
}

func newPager(q *model.RangeQuery) (*pager, error) {
	p := &pager{query: q, next: make([]int64, len(q.Keys)), more: make([]bool, len(q.Keys))}
	p.from, p.to = scan.Range(q)
	for i := range p.next {
		p.more[i], p.next[i] = true, p.from
		if q.Descending {
			p.next[i] = p.to
		}
	}
	if q.Cursor == "" {
		return p, nil
	}
	if !p.resume(q.Cursor) {
		return nil, model.Invalidf("The cursor does not belong to this query; ask for the first page again")
	}
	return p, nil
}

// key yields the page of one key.
func (p *pager) key(ctx context.Context, s *scan.Scanner, c *scan.Call, series []scan.Series, i int, yield func(string, []model.Point) error) error {
	if !p.more[i] {
		return nil
	}
	p.more[i] = false
	q := *p.query
	q.From, q.To = p.next[i], p.to
	if q.Descending {
		q.From, q.To = p.from, p.next[i]
	}
	left := math.MaxInt
	if q.Limit > 0 && q.Limit < math.MaxInt {
		left = q.Limit
		q.Limit++
	}
	return s.Raw(ctx, c, &q, series[i:i+1], func(_ int, points []model.Point) error {
		if len(points) > left {
			p.more[i] = true
			points = points[:left]
		}
		left -= len(points)
		if len(points) == 0 {
			return nil
		}
		last := points[len(points)-1].TS
		if p.next[i] = last; !q.Descending {
			p.next[i]++ // not the last instant there is: a point follows it, or next is not used
		}
		return yield(q.Keys[i], points)
	})
}

// cursorVersion is that of the form of a cursor:
//
//	version <1> | query <4> | of each key: 0, or 1 + how far from where the query begins <uvarint>
const cursorVersion = 1

func (p *pager) cursor() string {
	b := binary.LittleEndian.AppendUint32([]byte{cursorVersion}, p.fingerprint())
	for i, ok := range p.more {
		at := uint64(0)
		switch {
		case !ok:
		case p.query.Descending:
			at = 1 + uint64(p.to) - uint64(p.next[i])
		default:
			at = 1 + uint64(p.next[i]) - uint64(p.from)
		}
		b = binary.AppendUvarint(b, at)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// resume moves to where a cursor stands; false when it is none of this query.
func (p *pager) resume(cursor string) bool {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) < 5 || b[0] != cursorVersion || binary.LittleEndian.Uint32(b[1:]) != p.fingerprint() {
		return false
	}
	b = b[5:]
	for i := range p.next {
		at, n := binary.Uvarint(b)
		if n <= 0 || at > uint64(p.to)-uint64(p.from) {
			return false
		}
		b = b[n:]
		if p.more[i] = at != 0; !p.more[i] {
			continue
		}
		if p.query.Descending {
			p.next[i] = int64(uint64(p.to) - (at - 1))
		} else {
			p.next[i] = int64(uint64(p.from) + (at - 1))
		}
	}
	return len(b) == 0
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fingerprint tells queries apart whose pages must not be mixed.
func (p *pager) fingerprint() uint32 {
	q := p.query
	b := append(append([]byte(nil), q.Tenant[:]...), q.Entity[:]...)
	b = append(b, byte(q.Scope), 0)
	if q.Descending {
		b[len(b)-1] = 1
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(p.from))
	b = binary.LittleEndian.AppendUint64(b, uint64(p.to))
	for _, key := range q.Keys {
		b = binary.AppendUvarint(b, uint64(len(key)))
		b = append(b, key...)
	}
	return crc32.Checksum(b, castagnoli)
}

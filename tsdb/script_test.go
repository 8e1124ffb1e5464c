package tsdb

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A script makes random operations that meet each other often.
type script struct {
	rng   *rand.Rand
	now   int64
	again *model.WriteSet // the last one that kept originals
}

const scriptStart = int64(1_700_000_000_000)

func (s *script) entity() (model.TenantID, model.EntityID) {
	return model.TenantID{byte(1 + s.rng.IntN(2))}, model.EntityID{byte(1 + s.rng.IntN(3))}
}

func (s *script) scope() twinScope {
	tenant, entity := s.entity()
	scope := model.Timeseries
	if s.rng.IntN(4) == 0 {
		scope = model.Scope(2 + s.rng.IntN(4))
	}
	return twinScope{tenant, entity, scope}
}

// keyCount is more than a group holds.
const keyCount = 40

func (s *script) key() string { return fmt.Sprintf("key%02d", int(s.rng.ExpFloat64()*4)%keyCount) }

func (s *script) value() model.Value {
	switch n := s.rng.IntN(20); {
	case n < 8:
		return model.Float(float64(s.rng.IntN(10000)) / 100)
	case n < 14:
		return model.Int(int64(s.rng.IntN(100) - 50))
	case n == 14:
		return model.Bool(s.rng.IntN(2) == 0)
	case n == 15:
		return model.JSON(fmt.Sprintf(`{"n":%d}`, s.rng.IntN(100)))
	case n == 16:
		return model.Null()
	case n == 17:
		return model.String("")
	case n == 18:
		return model.Float(s.rng.NormFloat64())
	}
	return model.String(fmt.Sprint("text ", s.rng.IntN(50)))
}

// set makes a write set: mostly in order, at times late, a correction, partial, or long.
func (s *script) set() *model.WriteSet {
	scope := s.scope()
	set := &model.WriteSet{Tenant: scope.tenant, Entity: scope.entity, Scope: scope.scope, Received: s.now - int64(s.rng.IntN(3)*s.rng.IntN(20000))} // the clock steps back
	for range 1 + s.rng.IntN(5) {
		if key := s.key(); !slices.Contains(set.Keys, key) {
			set.Keys = append(set.Keys, key)
		}
	}
	if s.rng.IntN(20) == 0 {
		for i := range keyCount {
			if key := fmt.Sprintf("key%02d", i); !slices.Contains(set.Keys, key) {
				set.Keys = append(set.Keys, key)
			}
		}
	}
	rows := 1 + s.rng.IntN(4)
	if s.rng.IntN(10) == 0 {
		rows = 1 + s.rng.IntN(400)
	}
	step := int64(1000)
	if s.rng.IntN(15) == 0 {
		step = int64(time.Hour/time.Millisecond) * 7
	}
	ts := s.now
	switch s.rng.IntN(6) {
	case 0: // late, or a correction
		ts -= int64(s.rng.IntN(2000)) * 1000
	case 1:
		ts -= int64(s.rng.IntN(200)) * 24 * 3600 * 1000
	}
	for range rows {
		row := model.Row{TS: ts}
		for k := range set.Keys {
			if s.rng.IntN(8) > 0 {
				row.Cells++
				set.Cells = append(set.Cells, model.Cell{Key: k, Value: s.value()})
			}
		}
		set.Rows = append(set.Rows, row)
		if s.rng.IntN(12) == 0 {
			ts -= step * int64(s.rng.IntN(5))
		} else {
			ts += step
		}
	}
	if len(set.Cells) == 0 {
		set.Rows = []model.Row{{TS: ts, Cells: 1}}
		set.Cells = []model.Cell{{Key: 0, Value: model.Int(1)}}
	}
	s.now = max(s.now, min(ts, s.now+int64(rows)*1000)) + int64(s.rng.IntN(2000))
	return set
}

func (s *script) delete() model.DeleteRange {
	scope := s.scope()
	d := model.DeleteRange{
		Tenant: scope.tenant, Entity: scope.entity, Scope: scope.scope,
		KeepLatest: s.rng.IntN(3) == 0, RewriteLatest: s.rng.IntN(2) == 0,
	}
	if s.rng.IntN(4) > 0 {
		for range 1 + s.rng.IntN(3) {
			if key := s.key(); !slices.Contains(d.Keys, key) {
				d.Keys = append(d.Keys, key)
			}
		}
	}
	d.From, d.To = s.span()
	return d
}

func (s *script) span() (from, to int64) {
	switch s.rng.IntN(4) {
	case 0:
		return 0, s.now + 1
	case 1:
		from = s.now - int64(s.rng.IntN(300))*24*3600*1000
		return from, from + int64(1+s.rng.IntN(100))*24*3600*1000
	}
	from = s.now - int64(s.rng.IntN(4000))*1000
	return from, from + int64(1+s.rng.IntN(3000))*1000
}

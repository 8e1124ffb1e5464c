package tsdb

import (
	"maps"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// keep applies a cell of w, if it keeps originals, before the point changes; false says that it
// does not become the point.
func (s *twinSeries) keep(w *model.WriteSet, cell int, ts int64) bool {
	r := model.Revision{TS: ts, Value: w.Cells[cell].Value, Received: w.Received}
	if w.Qualities != nil {
		r.Quality = w.Qualities[cell]
	}
	if !w.KeepOriginals {
		return true
	}
	all := s.withCurrent(r.TS, true)
	if n := len(all); n == 0 || all[n-1].Value != r.Value || all[n-1].Quality != r.Quality {
		all = append(all, r)
		if r.Quality != 0 {
			s.badEnds[r] = endOf(w)
		}
	}
	s.revisions[r.TS] = all
	return r.Quality == 0
}

// withCurrent returns the revisions of an instant with the point behind them, if a write that
// keeps no originals made it. The point alone counts only when asked for.
func (s *twinSeries) withCurrent(ts int64, alone bool) []model.Revision {
	all := s.revisions[ts]
	point, any := s.points[ts]
	if !any || len(all) == 0 && !alone {
		return all
	}
	for _, r := range slices.Backward(all) {
		if r.Quality == 0 {
			if r.Value == point {
				return all
			}
			break
		}
	}
	return append(slices.Clip(all), model.Revision{TS: ts, Value: point})
}

func (w *twin) revisions(scope twinScope, key string, from, to int64, limit int) (out []model.Revision) {
	s := w.series[twinKey{scope, key}]
	if s == nil {
		return nil
	}
	for _, ts := range slices.Sorted(maps.Keys(s.revisions)) {
		if ts >= from && ts < to {
			out = append(out, s.withCurrent(ts, false)...)
		}
	}
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}

// endOf is when the points of a set have outlived their time; 0: never.
func endOf(s *model.WriteSet) int64 {
	if s.TTL == 0 {
		return 0
	}
	return s.Received + s.TTL
}

// outlive drops what has outlived its time at now.
func (w *twin) outlive(now int64) (dropped int) {
	for _, s := range w.series {
		for ts := range s.points {
			if e := s.ends[ts]; e != 0 && e <= now {
				delete(s.points, ts)
				delete(s.revisions, ts)
				dropped++
			}
		}
		for ts, all := range s.revisions {
			s.revisions[ts] = slices.DeleteFunc(slices.Clone(all), func(r model.Revision) bool {
				e := s.badEnds[r]
				return e != 0 && e <= now
			})
			if len(s.revisions[ts]) == 0 {
				delete(s.revisions, ts)
			}
		}
	}
	return dropped
}

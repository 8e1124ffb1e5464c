package entityquery

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tidewire/tidewire/model"
)

// block is how many candidates are looked at before the next look at the context. Their rows
// are found together: that costs more than all else.
const block = 1024

// sift returns the candidates that pass, with the values that order them unless only their
// number is asked for, in no order. Many candidates are divided among the cores.
func sift(ctx context.Context, q *model.FindQuery, where *where, v *values, candidates []*model.Entity) (passed []ranked, total int, err error) {
	type part struct {
		passed []ranked
		total  int
	}
	parts := make([]part, max(1, min(runtime.GOMAXPROCS(0), len(candidates)/(4*block))))
	g, ctx := errgroup.WithContext(ctx)
	for i := range parts {
		p, own := &parts[i], candidates[i*len(candidates)/len(parts):(i+1)*len(candidates)/len(parts)]
		v := *v // with a row and a text of its own
		v.text = nil
		g.Go(func() error {
			rows := make([]int32, min(block, len(own)))
			for some := range slices.Chunk(own, block) {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if v.view != nil {
					v.view.Rows(some, rows)
				}
				for k, e := range some {
					v.row = rows[k]
					if !where.holds(&v, e) || !v.found(e) {
						continue
					}
					if p.total++; q.Size > 0 {
						value, _ := v.get(q.Sort, e)
						p.passed = append(p.passed, ranked{e, value.Value})
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, 0, err
	}
	for i := range parts {
		total += parts[i].total
	}
	passed = parts[0].passed
	for i := range parts[1:] {
		passed = append(passed, parts[1+i].passed...)
	}
	return passed, total, nil
}

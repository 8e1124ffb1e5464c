package scan

import (
	"context"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/bucket"
)

// Aggregate calls yield once for each series that has points in [q.From, q.To), in their
// order, i being its index, with its buckets in ascending order; empty buckets are left out
// (contract thingsboard 9). The slice is reused when yield returns, the text in it is not.
// An unusable q.Every is an Invalid [model.Error]; an error of yield, of ctx or of c's budget
// ends the query, the latter two before anything is yielded. What is damaged is stepped over
// and told at the end by a *DamageError: the buckets over it lack what stood there.
func (s *Scanner) Aggregate(ctx context.Context, c *Call, q *model.RangeQuery, series []Series, yield func(i int, buckets []model.Bucket) error) error {
	w := s.work(c)
	defer s.giveBack(w)
	if err := w.answer(ctx, q, series); err != nil {
		return err
	}
	for i, f := range w.results[:len(series)] {
		if f == nil || len(f.buckets) == 0 {
			continue
		}
		if err := c.deliver(len(f.buckets)); err != nil {
			return err
		}
		if err := yield(i, f.buckets); err != nil {
			return err
		}
	}
	return damageError(w.takeDamage())
}

// work lends what an aggregate query of c needs; giveBack must follow.
func (s *Scanner) work(c *Call) *work {
	w, ok := s.works.Get().(*work)
	if !ok {
		w = &work{always: s.always}
	}
	w.call = c
	return w
}

func (s *Scanner) giveBack(w *work) {
	w.release()
	s.works.Put(w)
}

// answer fills the results of q.
func (w *work) answer(ctx context.Context, q *model.RangeQuery, series []Series) error {
	cut, err := bucket.New(q.From, q.To, q.Every)
	if err != nil {
		return err
	}
	return w.run(ctx, series, cut, q.Aggregates)
}

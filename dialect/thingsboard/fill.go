package thingsboard

import (
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// A Fill says what is told where a function has no result, so that a chart gets a row for each
// bucket: an addition to the contract (18). A count of nothing is 0 whatever the fill.
type Fill struct {
	how   fillHow
	value model.Value // of fillValue
}

type fillHow uint8

const (
	fillNull     fillHow = iota
	fillPrevious         // the result before it; null where there is none
	fillLinear           // between the numbers before and behind it; null beyond them
	fillValue
)

// fillNames are the ways of filling by their number.
var fillNames = [...]string{"NULL", "PREVIOUS", "LINEAR"}

// parseFill reads the member fill: a name or a number. Nil means that empty buckets are left out.
func parseFill(raw json.RawMessage) (*Fill, error) {
	if raw == nil {
		return nil, nil //nolint:nilnil // no fill is an answer
	}
	var name string
	if json.Unmarshal(raw, &name) == nil {
		if name == "" || name == "NONE" {
			return nil, nil //nolint:nilnil // as above
		}
		if how := slices.Index(fillNames[:], name); how >= 0 {
			return &Fill{how: fillHow(how)}, nil
		}
	}
	if i, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return &Fill{how: fillValue, value: model.Int(i)}, nil
	}
	if f, err := strconv.ParseFloat(string(raw), 64); err == nil {
		return &Fill{how: fillValue, value: model.Float(f)}, nil
	}
	return nil, model.Invalidf("fill must be NONE, %s or a number, is %.32s", strings.Join(fillNames[:], ", "), raw)
}

// Rows calls row for each bucket of cuts, which are those of the query in ascending order, with
// the results of functions: those of buckets, which hold the ones that have points, and what the
// fill says for the others. values is used again. It ends at the first error.
func (f *Fill) Rows(cuts iter.Seq2[int64, int64], functions []model.Aggregates, buckets []model.Bucket, row func(b *model.Bucket, values []model.Value) error) error {
	values := make([]model.Value, len(functions))
	last := make([]int, len(functions)) // the bucket before this one that has a result; -1 is none
	for i := range last {
		last[i] = -1
	}
	next := slices.Clone(last) // the bucket from here on that has a result
	at := 0                    // of buckets: from here on
	var empty model.Bucket
	for from, to := range cuts {
		empty.From, empty.To = from, to
		b, own := &empty, at < len(buckets) && buckets[at].From < to
		if own {
			b = &buckets[at]
		}
		for i, of := range functions {
			values[i] = b.Value(of)
			switch {
			case values[i].IsNone():
				values[i] = f.missing(b, of, buckets, at, last[i], &next[i])
			case own:
				last[i] = at
			}
		}
		if err := row(b, values); err != nil {
			return err
		}
		if own {
			at++
		}
	}
	return nil
}

// missing returns what stands for the result of a function that b has not. last is the bucket
// before b that has one; next remembers the one behind it, and is moved on from at.
func (f *Fill) missing(b *model.Bucket, of model.Aggregates, buckets []model.Bucket, at, last int, next *int) model.Value {
	switch {
	case f.how == fillValue:
		return f.value
	case f.how == fillNull || last < 0:
		return model.Value{}
	case f.how == fillPrevious:
		return buckets[last].Value(of)
	}
	for *next = max(*next, at); *next < len(buckets) && buckets[*next].Value(of).IsNone(); *next++ {
	}
	if *next == len(buckets) {
		return model.Value{}
	}
	before, behind := &buckets[last], &buckets[*next]
	x, ok := before.Value(of).Number()
	y, also := behind.Value(of).Number()
	if !ok || !also {
		return model.Value{}
	}
	if x == y {
		return model.Float(x)
	}
	part := (float64(b.From) - float64(before.From)) / (float64(behind.From) - float64(before.From))
	return model.Float(float64(x*(1-part)) + float64(y*part)) // their difference may be infinite
}

package thingsboard

import (
	"math/bits"

	"github.com/tidewire/tidewire/model"
)

// aggregateNames are the functions by the number of their bit.
var aggregateNames = [...]string{"COUNT", "SUM", "AVG", "MIN", "MAX", "FIRST", "LAST"}

// aggregateMembers are their names as members of answers.
var aggregateMembers = [len(aggregateNames)]string{"count", "sum", "avg", "min", "max", "first", "last"}

// AggregateOf returns the function of a wire name; false when there is none.
func AggregateOf(name string) (model.Aggregates, bool) {
	for i, n := range aggregateNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// aggregateMember returns the name of the member or column of one function.
func aggregateMember(f model.Aggregates) string {
	return aggregateMembers[bits.TrailingZeros8(uint8(f))]
}

package thingsboard

import (
	"math/bits"

	"github.com/tidewire/tidewire/model"
)

// aggregateNames are the functions by the number of their bit.
var aggregateNames = [...]string{"COUNT", "SUM", "AVG", "MIN", "MAX", "FIRST", "LAST"}

// aggregateColumns are their names as columns, aggregateMembers those as members of an object
// behind others.
var (
	aggregateColumns = [len(aggregateNames)]string{"count", "sum", "avg", "min", "max", "first", "last"}
	aggregateMembers = func() (members [len(aggregateNames)]string) {
		for i, name := range aggregateColumns {
			members[i] = `,"` + name + `":`
		}
		return members
	}()
)

// AggregateOf returns the function of a wire name; false when there is none.
func AggregateOf(name string) (model.Aggregates, bool) {
	for i, n := range aggregateNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// aggregateColumn returns the name of the column of one function.
func aggregateColumn(f model.Aggregates) string {
	return aggregateColumns[bits.TrailingZeros8(uint8(f))]
}

// aggregateMember returns the beginning of the member of one function: ,"avg":
func aggregateMember(f model.Aggregates) string {
	return aggregateMembers[bits.TrailingZeros8(uint8(f))]
}

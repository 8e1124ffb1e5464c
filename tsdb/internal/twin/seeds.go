package twin

import (
	"fmt"
	"os"
	"strconv"
)

// Thin returns n under the race detector, where a fault or a history costs ten times what it
// costs otherwise, and else 1: the tests run both ways, and look for races in every nth.
func Thin(n int) int {
	if raced {
		return n
	}
	return 1
}

// Seeds says how many random histories a test meets: few, or as many as a soak asks for by
// TIDEWIRE_SEEDS. It panics at what is no number: a soak that strikes nothing must not pass.
func Seeds(few uint64) uint64 {
	s := os.Getenv("TIDEWIRE_SEEDS")
	if s == "" {
		return max(1, few/uint64(Thin(5)))
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		panic(fmt.Sprintf("TIDEWIRE_SEEDS=%q is not a number of seeds", s))
	}
	return n
}

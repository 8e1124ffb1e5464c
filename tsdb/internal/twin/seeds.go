package twin

import (
	"fmt"
	"os"
	"strconv"
)

// Seeds says how many random histories a test meets: few, or as many as a soak asks for by
// TIDEWIRE_SEEDS. It panics at what is no number: a soak that strikes nothing must not pass.
func Seeds(few uint64) uint64 {
	s := os.Getenv("TIDEWIRE_SEEDS")
	if s == "" {
		return few
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		panic(fmt.Sprintf("TIDEWIRE_SEEDS=%q is not a number of seeds", s))
	}
	return n
}

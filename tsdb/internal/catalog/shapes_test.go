package catalog

import (
	"fmt"
	"testing"
	"unsafe"
)

// Names come out of a request's body, whose buffer is used again for the next one.
func TestShapesKeepNothingOfTheNamesTheyAreGiven(t *testing.T) {
	var shapes Shapes
	buffer := make([]byte, 4)
	var kept []*Shape
	for i := range 1000 {
		want := fmt.Sprintf("k%03d", i)
		copy(buffer, want)
		shape := shapes.Get([]string{unsafe.String(&buffer[0], len(buffer))})
		if len(shape.Names) != 1 || shape.Names[0] != want {
			t.Fatalf("shape of %q has the names %q", want, shape.Names)
		}
		kept = append(kept, shape)
	}
	for i, shape := range kept {
		if name := fmt.Sprintf("k%03d", i); shape.Names[0] != name || shapes.Get([]string{name}) != shape {
			t.Errorf("the shape of %q was not found again", name)
		}
	}
}

package thingsboard

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/internal/spectest"
)

// The document describes the commands that are read, with every member and no other.
func TestAsyncAPIDescribesEveryCommand(t *testing.T) {
	live, err := spectest.AsyncAPI()
	if err != nil {
		t.Fatal(err)
	}
	read := maps.Clone(wsMembers)
	for kind := range read {
		read[kind] = slices.Sorted(slices.Values(read[kind]))
	}
	if diff := cmp.Diff(read, live.Commands()); diff != "" {
		t.Errorf("-read +described:\n%s", diff)
	}
}

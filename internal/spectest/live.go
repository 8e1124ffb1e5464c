package spectest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/oasdiff/yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	tidewire "github.com/tidewire/tidewire"
)

// A Live is asyncapi.yaml, ready to be asked.
type Live struct {
	JSON    []byte // the document
	root    map[string]any
	written *schemas // as they stand
	closed  *schemas // without members they do not describe
}

// AsyncAPI returns the document the binary serves. Its schemas are of draft 7, as AsyncAPI's are.
var AsyncAPI = sync.OnceValues(func() (*Live, error) {
	var document any
	if _, err := yaml.Unmarshal(tidewire.AsyncAPI, &document, yaml.DecodeOpts{}); err != nil {
		return nil, err
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	l := &Live{JSON: text}
	if l.root, err = parse(text); err != nil {
		return nil, err
	}
	closed, err := parse(text)
	if err != nil {
		return nil, err
	}
	closeSchemas(closed)
	if l.written, err = newSchemas(l.root, jsonschema.Draft7); err != nil {
		return nil, err
	}
	l.closed, err = newSchemas(closed, jsonschema.Draft7)
	return l, err
})

func schemaPlace(name string) place { return place{pointer: "/components/schemas/" + name} }

// VerifyFrame says how a message of the server breaks the document, or nothing.
func (l *Live) VerifyFrame(text []byte) error {
	return l.closed.validateJSON(schemaPlace("Frame"), text)
}

// VerifyCommands says how a message of a client breaks the document, or nothing.
func (l *Live) VerifyCommands(text []byte) error {
	return l.written.validateJSON(schemaPlace("Commands"), text)
}

// Frame fails a test whose server sent a frame that asyncapi.yaml does not describe.
func Frame(t testing.TB, text []byte) {
	t.Helper()
	l, err := AsyncAPI()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.VerifyFrame(text); err != nil {
		t.Error(err)
	}
}

// Commands returns the members of each type of command, sorted.
func (l *Live) Commands() map[string][]string {
	found := map[string][]string{}
	d := &Document{root: l.root}
	for name := range d.at(place{node: l.root}, "components", "schemas").node {
		schema := d.at(place{node: l.root}, "components", "schemas", name)
		properties := d.at(schema, "properties").node
		if !strings.HasSuffix(name, "Command") || properties == nil {
			continue
		}
		kind := d.at(schema, "properties", "type").node
		kinds, _ := kind["enum"].([]any)
		if only, ok := kind["const"]; ok {
			kinds = append(kinds, only)
		}
		for _, k := range kinds {
			if k, ok := k.(string); ok {
				found[k] = slices.Sorted(maps.Keys(properties))
			}
		}
	}
	return found
}

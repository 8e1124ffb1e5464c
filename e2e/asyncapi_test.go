package e2e

import (
	"bytes"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tidewire/tidewire/internal/spectest"
)

// The schema of AsyncAPI 3.0 comes with what the web app is built from.
func TestTheAsyncAPIDocumentIsValid(t *testing.T) {
	schema, err := os.ReadFile("../web/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json")
	if err != nil {
		t.Fatalf("%v: run make web", err)
	}
	meta, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("file:///asyncapi-3.0.0.json", meta); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("file:///asyncapi-3.0.0.json")
	if err != nil {
		t.Fatal(err)
	}
	verify := func(text []byte) error {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return compiled.Validate(document)
	}
	live, err := spectest.AsyncAPI()
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(live.JSON); err != nil {
		t.Error(err)
	}
	for _, broken := range [][2]string{{`"action":"send"`, `"action":"shout"`}, {`"payload":`, `"pay":`}, {`"asyncapi":"3.0.0"`, `"asyncapi":"4.0.0"`}} {
		if text := bytes.Replace(live.JSON, []byte(broken[0]), []byte(broken[1]), 1); bytes.Equal(text, live.JSON) || verify(text) == nil {
			t.Errorf("a document with %s is taken for valid", broken[1])
		}
	}
}

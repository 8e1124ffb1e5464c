package spectest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	tidewire "github.com/tidewire/tidewire"
)

// A Document is openapi.yaml, ready to be asked. Places in it are JSON pointers, such as
// /components/schemas/Device.
type Document struct {
	root     map[string]any
	paths    []path
	sent     *schemas // of requests, whose unknown members are ignored
	received *schemas // of answers, which have none
}

// schemas are those of the document, compiled when they are needed.
type schemas struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

// A path is one of the document's templates, by segment.
type path struct {
	template string
	segments []string
}

// OpenAPI returns the document the binary serves.
var OpenAPI = sync.OnceValues(func() (*Document, error) {
	doc, err := openapi3.NewLoader().LoadFromData(tidewire.OpenAPI)
	if err != nil {
		return nil, err
	}
	text, err := doc.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return New(text)
})

// source is the name under which the compiler knows the document.
const source = "file:///openapi.json"

// New returns a document of its JSON form.
func New(text []byte) (*Document, error) {
	root, err := parse(text)
	if err != nil {
		return nil, err
	}
	closed, err := parse(text)
	if err != nil {
		return nil, err
	}
	closeSchemas(closed)
	d := &Document{root: root}
	if d.sent, err = newSchemas(root, jsonschema.Draft2020); err != nil {
		return nil, err
	}
	if d.received, err = newSchemas(closed, jsonschema.Draft2020); err != nil {
		return nil, err
	}
	for template := range d.at(place{node: root}, "paths").node {
		d.paths = append(d.paths, path{template, strings.Split(template, "/")})
	}
	// Where two templates fit, the one that names more, from the left, is meant.
	slices.SortFunc(d.paths, func(a, b path) int { return slices.CompareFunc(a.segments, b.segments, compareSegments) })
	return d, nil
}

func parse(text []byte) (map[string]any, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	root, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("the document is no object")
	}
	return root, nil
}

func newSchemas(root map[string]any, draft *jsonschema.Draft) (*schemas, error) {
	s := &schemas{compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	s.compiler.DefaultDraft(draft)
	s.compiler.AssertFormat()
	return s, s.compiler.AddResource(source, root)
}

func compareSegments(a, b string) int {
	if isParameter(a) != isParameter(b) {
		if isParameter(a) {
			return 1
		}
		return -1
	}
	return strings.Compare(a, b)
}

func isParameter(segment string) bool { return strings.HasPrefix(segment, "{") }

// closeSchemas makes schemas that list members refuse others, so that what is sent and not
// described is found. Schemas that are open on purpose say so.
func closeSchemas(node any) {
	switch node := node.(type) {
	case map[string]any:
		_, listed := node["properties"].(map[string]any)
		_, open := node["additionalProperties"]
		if listed && !open {
			node["additionalProperties"] = false
		}
		for name, child := range node {
			if name != "example" && name != "examples" {
				closeSchemas(child)
			}
		}
	case []any:
		for _, child := range node {
			closeSchemas(child)
		}
	}
}

// route finds the template that a path of a request fits, and its parameters.
func (d *Document) route(target string) (template string, parameters map[string]string) {
	segments := strings.Split(target, "/")
	for _, p := range d.paths {
		if len(p.segments) != len(segments) {
			continue
		}
		parameters := map[string]string{}
		fits := true
		for i, s := range p.segments {
			switch {
			case isParameter(s) && segments[i] != "":
				parameters[strings.Trim(s, "{}")] = segments[i]
			case s != segments[i]:
				fits = false
			}
		}
		if fits {
			return p.template, parameters
		}
	}
	return "", nil
}

// A place is an object in the document.
type place struct {
	node    map[string]any // nil where there is nothing
	pointer string
}

// at follows names from a place, and references on the way.
func (d *Document) at(p place, names ...string) place {
	for _, name := range names {
		next, _ := p.node[name].(map[string]any)
		p = place{next, p.pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)}
		if ref, ok := next["$ref"].(string); ok {
			p = d.at(place{node: d.root}, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
	}
	return p
}

// validate holds a value against the schema at a place.
func (s *schemas) validate(p place, value any) error {
	schema, err := s.at(p.pointer)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// at compiles the schema at a pointer once.
func (s *schemas) at(pointer string) (*jsonschema.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if schema, ok := s.compiled[pointer]; ok {
		return schema, nil
	}
	schema, err := s.compiler.Compile(source + "#" + pointer)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", pointer, err)
	}
	s.compiled[pointer] = schema
	return schema, nil
}

// validateJSON is validate for a text.
func (s *schemas) validateJSON(p place, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("no JSON: %w: %s", err, short(text))
	}
	if err := s.validate(p, value); err != nil {
		return fmt.Errorf("%w\n%s", err, short(text))
	}
	return nil
}

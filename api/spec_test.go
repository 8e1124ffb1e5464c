package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	tidewire "github.com/tidewire/tidewire"
)

var document = sync.OnceValues(func() (*openapi3.T, error) {
	return openapi3.NewLoader().LoadFromData(tidewire.OpenAPI)
})

func spec(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := document()
	check(t, err)
	return doc
}

func TestTheDocumentIsValid(t *testing.T) {
	doc := spec(t)
	if !doc.IsOpenAPI31OrLater() {
		t.Errorf("openapi %s, want 3.1", doc.OpenAPI)
	}
	check(t, doc.Validate(t.Context(), openapi3.EnableExamplesValidation()))
}

func TestEveryOperationIsDescribed(t *testing.T) {
	seen := map[string]bool{}
	for path, item := range spec(t).Paths.Map() {
		for method, op := range item.Operations() {
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s lacks an operationId, a summary or its tag", method, path)
			}
			if seen[op.OperationID] {
				t.Errorf("operationId %s stands twice", op.OperationID)
			}
			seen[op.OperationID] = true
		}
	}
}

func TestTheServedDocumentsAreTheWrittenOnes(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"/openapi.yaml", "/asyncapi.yaml"} {
		written, err := os.ReadFile(".." + name)
		check(t, err)
		w.call("GET", name, "", "").is(200, string(written))
	}
}

func TestGeneratedCodeIsFresh(t *testing.T) {
	for _, name := range []string{"api", "client"} {
		t.Run(name, func(t *testing.T) {
			fresh := filepath.Join(t.TempDir(), "fresh.go")
			config, err := os.ReadFile("../" + name + "/oapi-codegen.yaml")
			check(t, err)
			output := name + "/" + name + ".gen.go"
			elsewhere := filepath.Join(t.TempDir(), "config.yaml")
			config = bytes.Replace(config, []byte("output: "+output), []byte("output: "+fresh), 1)
			check(t, os.WriteFile(elsewhere, config, 0o600))
			cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=tools/go.mod", "oapi-codegen",
				"-config", elsewhere, "openapi.yaml")
			cmd.Dir = ".."
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			want, err := os.ReadFile(fresh)
			check(t, err)
			got, err := os.ReadFile("../" + output)
			check(t, err)
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what openapi.yaml gives: run go generate ./%s", output, name)
			}
		})
	}
}

// Routes and document list the same operations.
func TestRoutesAndDocumentAgree(t *testing.T) {
	doc := spec(t)
	routed := map[string]bool{}
	for _, r := range router(newWorld(t).handler).Routes() {
		path := specPath(r.Path)
		routed[r.Method+" "+path] = true
		if path == "/api/ws/*" {
			continue // the older sockets
		}
		if item := doc.Paths.Value(path); item == nil || item.GetOperation(r.Method) == nil {
			t.Errorf("%s %s is not documented", r.Method, path)
		}
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if !routed[method+" "+path] && !strings.HasPrefix(path, "/api/ws/") {
				t.Errorf("%s %s is documented and not served", method, path)
			}
		}
	}
}

var param = regexp.MustCompile(`:(\w+)`)

// specPath turns Echo's form of a path into that of the document.
func specPath(route string) string { return param.ReplaceAllString(route, "{$1}") }

// router returns what knows the routes.
func router(h http.Handler) *echo.Echo {
	for {
		if e, ok := h.(*echo.Echo); ok {
			return e
		}
		h = h.(interface{ Unwrap() http.Handler }).Unwrap()
	}
}

// json decodes the answer.
func (a *answer) json(dst any) {
	a.t.Helper()
	if err := json.Unmarshal(a.Body.Bytes(), dst); err != nil {
		a.t.Fatalf("%s: %v: %s", a.call, err, a.Body)
	}
}

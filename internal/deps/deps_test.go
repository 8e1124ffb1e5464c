package deps

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tidewire/tidewire"

type pkg struct {
	ImportPath string
	Imports    []string
}

// packages lists the packages of the module with their imports, tests left out: a test may
// join what the program keeps apart.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// relative returns the path inside the module, "." for its root, and whether it is inside.
func relative(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// matches reports whether path is one of patterns.
func matches(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if below, ok := strings.CutSuffix(p, "/..."); ok {
			return path == below || strings.HasPrefix(path, below+"/")
		}
		return p == "*" || p == path
	})
}

// ruleOf returns the most exact rule for path.
func ruleOf(path string) ([]string, bool) {
	if allowed, ok := Ours[path]; ok {
		return allowed, true
	}
	for pattern, allowed := range Ours {
		if strings.HasSuffix(pattern, "/...") && matches([]string{pattern}, path) {
			return allowed, true
		}
	}
	return nil, false
}

func TestNothingImportsUpward(t *testing.T) {
	for _, p := range packages(t) {
		from, _ := relative(p.ImportPath)
		allowed, ok := ruleOf(from)
		if !ok {
			t.Errorf("%s stands in no rule: add it to Ours, or put its code where it belongs", from)
			continue
		}
		for _, imported := range p.Imports {
			to, ours := relative(imported)
			if ours && !matches(allowed, to) {
				t.Errorf("%s imports %s; it may import %v", from, to, allowed)
			}
		}
	}
}

func TestLibrariesAreMetInOnePlace(t *testing.T) {
	for _, p := range packages(t) {
		from, _ := relative(p.ImportPath)
		for _, imported := range p.Imports {
			for library, rule := range Theirs {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && !matches(rule.In, from) {
					t.Errorf("%s imports %s, which belongs in %v: %s", from, imported, rule.In, rule.Why)
				}
			}
		}
	}
}

func TestEveryRuleHasItsPackage(t *testing.T) {
	all := packages(t)
	for pattern := range Ours {
		if !slices.ContainsFunc(all, func(p pkg) bool {
			path, _ := relative(p.ImportPath)
			return matches([]string{pattern}, path)
		}) {
			t.Errorf("no package matches the rule %q", pattern)
		}
	}
}

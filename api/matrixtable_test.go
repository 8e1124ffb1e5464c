package api_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var updateMatrix = flag.Bool("update-matrix", false, "write testdata/matrix.txt anew: read the difference")

const matrixFile = "testdata/matrix.txt"

const matrixHead = `# What every caller gets from every route, and from every command of a socket. A route or command
# without a row fails the tests. To add one: a row with target and body in rows (isolation_test.go) or
# commands (matrixlive_test.go), then: go test ./api -run Matrix -update-matrix; read the difference.
#
# Everything asked for is tenant A's and, where that can be, customer one's. Strangers are shown nothing of
# it, whatever the status.
#
#   nobody   no token
#   bad      one status for each of: expired, alg none, HS384 and RS256 in place of HS512, another key
#   system   SYS_ADMIN
#   admin    TENANT_ADMIN of A
#   user     CUSTOMER_USER of customer one
#   tenantB  TENANT_ADMIN of another tenant
#   userTwo  CUSTOMER_USER of another customer
#   read, write, rpc, manage   API tokens of A with one scope each: read:telemetry, write:telemetry, rpc, admin
#   key      an API key of A's TENANT_ADMIN
#   narrow   an API token of A with all scopes, for another device only
#   public   who followed a public link of A; what it asks for is what the link shows
#
# Routes answer a status. Commands answer ok, with the number of entities where they are about a query,
# the errorCode of their frame, or - when they have no answer; callers who are refused, the close code.
`

// A matrix is a table of what each caller gets, by route or command.
type matrix map[string][]string

// readMatrix reads the rows whose names begin with a word of kinds.
func readMatrix(t *testing.T) matrix {
	t.Helper()
	text, err := os.ReadFile(matrixFile)
	check(t, err)
	m := matrix{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, cells, ok := strings.Cut(line, "  ")
		if !ok || m[name] != nil {
			t.Fatalf("%s: %q is no row, or the second of its name", matrixFile, line)
		}
		m[name] = strings.Fields(cells)
	}
	return m
}

// write replaces the rows of one part and leaves those of the other.
func (m matrix) write(t *testing.T, mine func(name string) bool) {
	t.Helper()
	all := readMatrix(t)
	maps.DeleteFunc(all, func(name string, _ []string) bool { return mine(name) })
	maps.Copy(all, m)
	var b strings.Builder
	b.WriteString(matrixHead)
	heading := func(title string) {
		fmt.Fprintf(&b, "\n# %-86s", title)
		for _, c := range callers {
			fmt.Fprintf(&b, "  %-7s", c.name)
		}
		b.WriteString("\n")
	}
	section := ""
	sorted := slices.SortedFunc(maps.Keys(all), func(a, b string) int { return strings.Compare(sectionOf(a)+a, sectionOf(b)+b) })
	for _, name := range sorted {
		if s := sectionOf(name); s != section {
			section = s
			heading(s)
		}
		fmt.Fprintf(&b, "%-88s", name)
		for _, cell := range all[name] {
			fmt.Fprintf(&b, "  %-7s", cell)
		}
		b.WriteString("\n")
	}
	text := ""
	for line := range strings.Lines(b.String()) {
		text += strings.TrimRight(line, " \n") + "\n"
	}
	check(t, os.WriteFile(matrixFile, []byte(text), 0o600))
}

func isCommand(name string) bool { return strings.HasPrefix(name, "WS ") }

// sectionOf puts routes about one thing together.
func sectionOf(name string) string {
	if isCommand(name) {
		return "command of a socket"
	}
	return "route"
}

// compare fails for every cell that differs, and for rows that one side does not have.
func (m matrix) compare(t *testing.T, want matrix, mine func(name string) bool) {
	t.Helper()
	for name, cells := range m {
		if want[name] == nil {
			t.Errorf("%s has no row in %s; it answers %s", name, matrixFile, strings.Join(cells, " "))
			continue
		}
		for i, c := range callers {
			if i >= len(want[name]) || cells[i] != want[name][i] {
				t.Errorf("%s as %s: %s, want %s", name, c.name, cells[i], strings.Join(want[name], " "))
			}
		}
	}
	for name := range want {
		if mine(name) && m[name] == nil {
			t.Errorf("%s has a row in %s and does not exist", name, matrixFile)
		}
	}
}

package api_test

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every route is asked by every caller, and answers what testdata/matrix.txt says. A call that
// may succeed in changing something is about things of its own, so that rows do not depend
// on each other.
func TestMatrixOfRoutes(t *testing.T) {
	w := newWorld(t)
	want := matrix{}
	if !*updateMatrix {
		want = readMatrix(t)
	}
	routes := map[string]bool{}
	for _, r := range router(w.handler).Routes() {
		routes[r.Method+" "+r.Path] = true
	}
	for route := range rows {
		if !routes[route] {
			t.Errorf("%s has a row and does not exist", route)
		}
	}
	got, names, n := matrix{}, w.names(), 0
	w.relate(w.asset, w.owned)
	public := w.publicNames(names)
	before := w.call("GET", names.Replace("/api/device/{owned}"), w.adminA, "").is(200).Body.String()
	tokens := map[string][]string{}
	for _, c := range callers {
		tokens[c.name] = w.present(c)
	}
	// What changes nothing comes first, so that it finds everything there.
	order := slices.SortedFunc(maps.Keys(routes), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	})
	for _, route := range order {
		row, ok := rows[route]
		if !ok {
			t.Errorf("%s has no row: say what to ask it for", route)
			continue
		}
		method, _, _ := strings.Cut(route, " ")
		mayChange := rank(route) > 0
		for i, c := range callers {
			with, shown := names, tokens[c.name]
			if c.name == "public" {
				with = public
			}
			// Of users and sessions, even one's own, another one is another matter.
			own := strings.Contains(row.target+row.body, "{user}") || strings.Contains(row.target, "{session}")
			if known := want[route]; mayChange && i > 1 && (own || i >= len(known) || known[i] < "400") {
				n++
				with, shown = w.anew(n, route, row, with, c), w.present(c)
			}
			cells := map[string]bool{}
			for _, token := range shown {
				answer := w.call(method, with.Replace(row.target), token, with.Replace(row.body))
				cells[strconv.Itoa(answer.Code)] = true
				if answer.Code == http.StatusOK && !(c.blind() && mayChange) {
					w.showsNothing(route+" as "+c.name, answer.Body.String(), c.hidden(route, names, with))
				}
			}
			if ends := strings.HasSuffix(row.target, "sessions") || strings.Contains(row.target, "{session}") || row.target == "/api/tokens"; mayChange && ends && cells["200"] {
				for _, c := range callers { // what was shown before may be good no more
					tokens[c.name] = w.present(c)
				}
			}
			got[route] = append(got[route], strings.Join(slices.Sorted(maps.Keys(cells)), "/"))
		}
	}
	w.call("GET", names.Replace("/api/device/{owned}"), w.login("a@example.org").Token, "").is(200, before)
	if *updateMatrix {
		got.write(t, func(name string) bool { return !isCommand(name) })
		return
	}
	got.compare(t, want, func(name string) bool { return !isCommand(name) })
	t.Logf("%d routes, %d callers, %d calls on things of their own", len(got), len(callers), n)
}

// blind reports whether a token lets nobody see what rows are about.
func (c *caller) blind() bool { return c.name == "write" || c.name == "rpc" || c.name == "narrow" }

// hidden is what an answer must not name, whatever the status: what the caller asked for, and
// what was there all along, where it is a stranger's.
func (c *caller) hidden(route string, names, with *strings.Replacer) (list []string) {
	const customers, people = "{one} {user} {owned} {free} {dashboard} {asset} {view}", " a@example.org one@example.org"
	switch {
	case !strings.Contains(route, " /api/"): // the documents have examples
	case c.name == "tenantB" && strings.HasPrefix(route, "GET /api/audit/"):
		// The log repeats what the stranger has just asked for: no record may be A's.
		return strings.Fields(names.Replace(`"tenantId":{"entityType":"TENANT","id":"{a}"}` + people))
	case c.name == "tenantB":
		return strings.Fields(with.Replace(customers + " {a} {profile} {assetProfile} {token} {key} {session}"))
	case c.name == "userTwo":
		return strings.Fields(with.Replace(customers))
	case c.name == "public":
		return strings.Fields(names.Replace(customers + people))
	case c.blind():
		return strings.Fields(with.Replace("{owned} {asset} {view} {dashboard} {user}" + people))
	}
	return nil
}

// showsNothing fails when an answer names what it must not.
func (w *world) showsNothing(what, answer string, hidden []string) {
	w.t.Helper()
	for _, secret := range hidden {
		if strings.Contains(answer, secret) {
			w.t.Errorf("%s shows %s: %.300s", what, secret, answer)
		}
	}
}

// rank orders routes by what they may do: read, change, delete.
func rank(route string) int {
	switch method, path, _ := strings.Cut(route, " "); {
	case method == http.MethodGet, strings.HasPrefix(path, "/api/entitiesQuery/"), strings.HasPrefix(path, "/api/telemetry/query"), strings.HasPrefix(path, "/api/alarmsQuery/"):
		return 0
	case method == http.MethodPost:
		return 1
	}
	return 2
}

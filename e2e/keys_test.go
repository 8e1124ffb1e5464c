package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Writers that each bring one new key a message, over buffers that are used again and again:
// every key keeps its name and its value, also after a restart.
func TestKeysThatArriveOneByOneKeepTheirNames(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "--demo")
	admin, user, password := s.demoAdmin()
	id, token := admin.device("keys")
	const writers, keys = 8, 100
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			c := &client{t: t, url: s.url}
			for n := range keys {
				// Names of one length, so that another name fits where this one stood.
				body := fmt.Sprintf(`{"ts":1700000000000,"values":{"k%d%03d":"%d/%d"}}`, w, n, w, n)
				if status, text := c.do(http.MethodPost, "/api/v1/"+token+"/telemetry", "", body); status != http.StatusOK {
					t.Errorf("%s = %d %s", body, status, text)
					return
				}
			}
		})
	}
	wg.Wait()
	var want []string
	for w := range writers {
		for n := range keys {
			want = append(want, fmt.Sprintf("k%d%03d=%q", w, n, fmt.Sprintf("%d/%d", w, n)))
		}
	}
	for _, when := range []string{"at once", "after a restart"} {
		var got []string
		for key, latest := range admin.series(id, "") {
			got = append(got, key+"="+string(latest[0].Value))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: %d keys, want %d:\n%s", when, len(got), len(want), strings.Join(got, " "))
		}
		if when == "at once" {
			s.kill()
			s = start(t, dir)
			admin = s.login(user, password)
		}
	}
}

package e2e

import (
	"net/http"
	"testing"
)

// docs/security.md: what the key before signed stays good, until it is forgotten.
func TestTheKeyOfTokensIsReplacedByACommand(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "--demo")
	admin, _, _ := s.demoAdmin()
	who := func(want int) {
		t.Helper()
		admin.url = s.url
		if status, text := admin.do(http.MethodGet, "/api/auth/user", "", ""); status != want {
			t.Errorf("the login of before: %d %s, want %d", status, text, want)
		}
	}
	who(http.StatusOK)
	for _, step := range []struct {
		flags []string
		want  int
	}{{nil, http.StatusOK}, {nil, http.StatusOK}, {[]string{"--forget"}, http.StatusUnauthorized}} {
		if code := s.stop(); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		if code, out := run(t, nil, append([]string{"keys", "rotate", "--data", dir}, step.flags...)...); code != 0 {
			t.Fatalf("%d: %s", code, out)
		}
		s = start(t, dir, "--demo")
		who(step.want)
	}
	if code, _ := run(t, nil, "keys", "rotate", "--data", t.TempDir()); code != 1 {
		t.Errorf("without keys: exit code %d, want 1", code)
	}
}

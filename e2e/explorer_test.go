package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	tidewire "github.com/tidewire/tidewire"
)

// The binary alone serves the explorer: it lists every operation and lets who is logged in try
// one, within the page's security policy and without asking any other host.
func TestTheExplorerInARealBrowser(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	_, email, password := s.demoAdmin()
	shots, err := filepath.Abs("../build/screenshots")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	tour := exec.CommandContext(ctx, "node", "browser/explorer.mjs")
	tour.Env = append(os.Environ(), "URL="+s.url, "EMAIL="+email, "PASSWORD="+password, "SHOTS="+shots,
		"OPERATIONS="+strconv.Itoa(strings.Count(string(tidewire.OpenAPI), "operationId: ")))
	out, err := tour.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "done\n") {
		t.Errorf("%v; see build/screenshots/explorer-failure.png\n%s", err, out)
	}
}

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A person's tour in a real browser; screenshots stay in build/screenshots. The server is
// killed and started again in the middle of it, on the same address, as an operator would.
func TestThePageInARealBrowser(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "--demo")
	admin, email, password := s.demoAdmin()
	s.await(`weather records are loaded`)
	_, token := admin.device("live")
	post := func(value string) error {
		status, text := (&client{t: t, url: s.url}).do(http.MethodPost, "/api/v1/"+token+"/telemetry", "", `{"temperature":`+value+`}`)
		if status != http.StatusOK {
			return fmt.Errorf("post = %d %s", status, text)
		}
		return nil
	}
	if err := post("20.25"); err != nil {
		t.Fatal(err)
	}
	shots, err := filepath.Abs("../build/screenshots")
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	tour := exec.CommandContext(ctx, "node", "browser/tour.mjs")
	tour.Env = append(os.Environ(), "URL="+s.url, "EMAIL="+email, "PASSWORD="+password, "SHOTS="+shots)
	tour.Stderr = os.Stderr
	answers, err := tour.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := tour.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tour.Start(); err != nil {
		t.Fatal(err)
	}
	last := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last = lines.Text()
		t.Log(last)
		request, ok := strings.CutPrefix(last, "ask ")
		if !ok {
			continue
		}
		answer, err := "done", error(nil)
		switch {
		case request == "kill":
			s.kill()
		case request == "start":
			s = launch(t, dir, "--listen", at.Host)
			s.url = s.await(`open\s+(http://\S+)`)[1]
			answer = s.await(`set up\s+(http://\S+/\S+)`)[1] // a new link every start, while there is no tenant of one's own
		default:
			err = post(strings.TrimPrefix(request, "post "))
		}
		if err != nil {
			t.Error(err)
			cancel()
		}
		if _, err := io.WriteString(answers, answer+"\n"); err != nil {
			t.Error(err)
		}
	}
	if err := tour.Wait(); err != nil || last != "done" {
		t.Errorf("the tour ended with %v after %q; see build/screenshots/failure.png", err, last)
	}
}

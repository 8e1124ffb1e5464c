package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// resolve parses a small command line with the real resolver and returns what came out.
func resolve(t *testing.T, environ []string, args ...string) (level, password string, err error) {
	t.Helper()
	var c struct {
		Config string `type:"existingfile"`
		Serve  struct {
			Level    string `default:"default"`
			Password string `secret:""`
			Size     int64
		} `cmd:""`
	}
	parser, err := kong.New(&c, kong.Name("t"), kong.Resolvers(&settings{environ: environ}), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(append([]string{"serve"}, args...))
	return c.Serve.Level, c.Serve.Password, err
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlagsBeatTheEnvironmentBeatsTheFileBeatsTheDefault(t *testing.T) {
	file := write(t, `{"level":"file"}`)
	f := func(want string, environ []string, args ...string) {
		t.Helper()
		if got, _, err := resolve(t, environ, args...); err != nil || got != want {
			t.Errorf("%q %q: %q, %v; want %q", environ, args, got, err, want)
		}
	}
	f("default", nil)
	f("file", nil, "--config", file)
	f("file", []string{"TIDEWIRE_CONFIG=" + file})
	f("env", []string{"TIDEWIRE_LEVEL=env"}, "--config", file)
	f("flag", []string{"TIDEWIRE_LEVEL=env"}, "--config", file, "--level", "flag")
}

func TestASecretMayStandInAFileOfItsOwn(t *testing.T) {
	secret := write(t, "hunter2\n")
	if _, got, err := resolve(t, []string{"TIDEWIRE_PASSWORD_FILE=" + secret}); err != nil || got != "hunter2" {
		t.Errorf("%q, %v", got, err)
	}
	if _, got, err := resolve(t, []string{"TIDEWIRE_PASSWORD_FILE=" + secret, "TIDEWIRE_PASSWORD=direct"}); err != nil || got != "direct" {
		t.Errorf("%q, %v", got, err)
	}
	if got, _, err := resolve(t, []string{"TIDEWIRE_LEVEL_FILE=" + secret}); err != nil || got != "default" {
		t.Errorf("a setting that is no secret was read from a file: %q, %v", got, err)
	}
	if _, _, err := resolve(t, []string{"TIDEWIRE_PASSWORD_FILE=" + secret + "x"}); err == nil {
		t.Error("a missing secret file is no error")
	}
}

func TestValuesOfTheFileAreReadLikeFlags(t *testing.T) {
	var c struct {
		Config string `type:"existingfile"`
		Serve  struct {
			Size     int64
			Flag     bool
			Networks []string
		} `cmd:""`
	}
	file := write(t, `{"size":9007199254740993,"flag":true,"networks":["10.0.0.0/8","::1/128"]}`)
	parser, err := kong.New(&c, kong.Resolvers(&settings{}), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"serve", "--config", file}); err != nil {
		t.Fatal(err)
	}
	if got := c.Serve; got.Size != 9007199254740993 || !got.Flag || !slices.Equal(got.Networks, []string{"10.0.0.0/8", "::1/128"}) {
		t.Errorf("%+v", got)
	}
}

func TestMistakesInTheConfigurationAreNamed(t *testing.T) {
	for text, want := range map[string]string{`{"levle":"x"}`: `"levle"`, `{`: "JSON", `{"level":{"a":1}}`: `"level"`, `{"size":"big"}`: "--size", `[]`: "JSON object"} {
		_, _, err := resolve(t, nil, "--config", write(t, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	f := func(code int, output string, args ...string) {
		t.Helper()
		var out bytes.Buffer
		if got := run(t.Context(), args, nil, &out, &out); got != code || !strings.Contains(out.String(), output) {
			t.Errorf("%q = %d, want %d with %q:\n%s", args, got, code, output, out.String())
		}
	}
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	f(0, "tidewire ", "version")
	f(0, "--listen", "serve", "--help")
	f(2, "unknown flag --nothing", "serve", "--nothing")
	f(2, "TIDEWIRE_USERNAME", "import", "main.go")
	f(2, "TIDEWIRE_PASSWORD_FILE", "import", "main.go", "--username", "a")
	f(2, "no-such-file", "import", "no-such-file")
	f(1, "no-such-directory", "check", "--data", "no-such-directory")
	f(1, "listen", "serve", "--data", t.TempDir(), "--listen", "nowhere")
	f(1, "another process listens on "+taken.Addr().String(), "serve", "--data", t.TempDir(), "--listen", taken.Addr().String())
	f(1, "zone", "import", "main.go", "--username", "a", "--password", "b", "--zone", "Seattle")
}

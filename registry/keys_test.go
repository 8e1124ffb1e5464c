package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestOldTokenKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), keysFile)
	made, err := CreateKeys(path, nil)
	check(t, err)
	text, err := os.ReadFile(path)
	check(t, err)
	var j keysJSON
	check(t, json.Unmarshal(text, &j))
	load := func(old ...[]byte) (*Keys, error) {
		t.Helper()
		j.OldTokens = old
		text, err := json.Marshal(j)
		check(t, err)
		check(t, os.WriteFile(path, text, 0o600))
		return LoadKeys(path)
	}
	old := bytes.Repeat([]byte{7}, 64)
	k, err := load(old)
	check(t, err)
	if k.Tokens != made.Tokens || len(k.OldTokens) != 1 || !bytes.Equal(k.OldTokens[0][:], old) {
		t.Errorf("loaded %+v", k)
	}
	for want, bad := range map[string][][]byte{"oldTokens[1] has 3 bytes": {old, {1, 2, 3}}, "5 old token keys": {old, old, old, old, old}} {
		if _, err := load(bad...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// What was signed before a rotation stays good, a fifth key before is one too many, and --forget
// forgets all.
func TestRotatedKeysStayGoodUntilForgotten(t *testing.T) {
	dir := t.TempDir()
	first, err := OpenKeys(dir, nil)
	check(t, err)
	want := [][64]byte{first.Tokens}
	for range 6 {
		check(t, RotateTokens(dir, nil, false))
		k, err := OpenKeys(dir, nil)
		check(t, err)
		if k.Lookup != first.Lookup || k.Seal != first.Seal || slices.Contains(want, k.Tokens) {
			t.Fatal("another key changed, or the one of tokens did not")
		}
		if n := min(len(want), maxOldTokens); !slices.Equal(k.OldTokens, want[:n]) {
			t.Fatalf("%d keys are accepted from before, want the newest %d", len(k.OldTokens), n)
		}
		want = append([][64]byte{k.Tokens}, want...)
	}
	check(t, RotateTokens(dir, nil, true))
	k, err := OpenKeys(dir, nil)
	check(t, err)
	if len(k.OldTokens) != 0 || slices.Contains(want, k.Tokens) {
		t.Error("a key from before is accepted")
	}
	info, err := os.Stat(filepath.Join(dir, keysFile))
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	files, err := os.ReadDir(dir)
	check(t, err)
	if len(files) != 1 {
		t.Errorf("%d files are left", len(files))
	}
	if err := RotateTokens(t.TempDir(), nil, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without keys: %v", err)
	}
}

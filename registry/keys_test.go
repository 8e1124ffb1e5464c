package registry

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
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

package app

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheSmallestLimitOfAControlGroupCounts(t *testing.T) {
	f := func(self string, files map[string]string, want int64, found bool) {
		t.Helper()
		root := t.TempDir()
		for name, text := range files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(root, "self")
		if err := os.WriteFile(path, []byte(self), 0o600); err != nil {
			t.Fatal(err)
		}
		got, ok := cgroupLimit(path, root)
		if ok != found || ok && got != want {
			t.Errorf("limit %d, %v; want %d, %v", got, ok, want, found)
		}
	}
	f("0::/a/b\n", map[string]string{"a/b/memory.max": "max\n", "a/memory.max": "2000\n", "memory.max": "3000\n"}, 2000, true)
	f("0::/a/b\n", map[string]string{"a/b/memory.max": "1000\n", "a/memory.max": "2000\n"}, 1000, true)
	f("0::/\n", map[string]string{"memory.max": "max\n"}, 0, false)
	f("5:memory:/x\n4:cpu:/y\n", map[string]string{"memory/x/memory.limit_in_bytes": "4096\n"}, 4096, true)
	f("5:memory:/x\n", map[string]string{"memory/x/memory.limit_in_bytes": "9223372036854771712\n"}, 0, false)
	f("", nil, 0, false)
}

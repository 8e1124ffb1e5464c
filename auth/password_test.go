package auth

import (
	"strings"
	"testing"
)

func TestPasswordHashNamesItsParameters(t *testing.T) {
	h, err := HashPassword("sécret", Params{MemoryKiB: 16, Passes: 3}, newSource())
	if err != nil || !strings.HasPrefix(h, "$argon2id$v=19$m=16,t=3,p=1$") {
		t.Fatal(h, err)
	}
	for password, want := range map[string]bool{"sécret": true, "secret": false, "": false} {
		if got, err := CheckPassword(h, password); got != want || err != nil {
			t.Errorf("%q: %v, %v", password, got, err)
		}
	}
}

func TestSamePasswordHashesDifferently(t *testing.T) {
	random := newSource()
	a, _ := HashPassword("x", Params{MemoryKiB: 8, Passes: 1}, random)
	b, _ := HashPassword("x", Params{MemoryKiB: 8, Passes: 1}, random)
	if a == b {
		t.Error("the salt is always the same")
	}
}

func TestDamagedHashIsAnErrorNotAMatch(t *testing.T) {
	good, err := HashPassword("x", Params{MemoryKiB: 8, Passes: 1}, newSource())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []string{"", "x", "$argon2id$v=19$", good[:len(good)-4], strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "v=19", "v=16", 1), strings.Replace(good, "m=8", "m=99999999", 1), strings.Replace(good, "m=8", "m=0", 1),
		strings.Replace(good, "t=1", "t=999", 1), strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "p=1", "p=9", 1),
		strings.Replace(good, "m=8", "m=x", 1)} {
		if ok, err := CheckPassword(h, "x"); ok || err == nil {
			t.Errorf("%q: %v, %v", h, ok, err)
		}
	}
}

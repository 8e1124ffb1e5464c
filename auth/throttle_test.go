package auth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

func (f *fixture) guess(t testing.TB, account, password, address string) error {
	t.Helper()
	_, err := f.Login(t.Context(), account, password, Client{Address: address})
	return err
}

// waits wants a refusal for its number, and returns how long it asks to wait.
func waits(t testing.TB, err error) time.Duration {
	t.Helper()
	retry, ok := errors.AsType[*model.RetryError](err)
	if model.KindOf(err) != model.TooMany || !ok || retry.After <= 0 {
		t.Fatalf("%v, want too many", err)
	}
	return retry.After
}

func TestGuessingIsSlowedAndLocksNobodyOut(t *testing.T) {
	f := setup(t)
	for range guessesHere {
		wantError(t, f.guess(t, "ann@example.org", "wrong", "192.0.2.1"), model.Unauthenticated, "Invalid username or password")
	}
	wait := waits(t, f.guess(t, "ANN@example.org", password, "192.0.2.1"))
	if err := f.guess(t, "ann@example.org", password, "192.0.2.2"); err != nil {
		t.Errorf("the owner elsewhere: %v", err)
	}
	f.addUser(t, "bob@example.org", model.TenantAdmin, password)
	if err := f.guess(t, "bob@example.org", password, "192.0.2.1"); err != nil {
		t.Errorf("a colleague at the same address: %v", err)
	}
	f.clock.add(wait - time.Millisecond)
	waits(t, f.guess(t, "ann@example.org", password, "192.0.2.1"))
	f.clock.add(time.Millisecond)
	if err := f.guess(t, "ann@example.org", password, "192.0.2.1"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// What an attempt is answered tells nothing about whether the account exists.
func TestThrottlingTellsNoNames(t *testing.T) {
	f := setup(t)
	disabled := f.addUser(t, "off@example.org", model.TenantAdmin, password)
	disabled.Enabled = false
	f.store.add(&model.Account{User: disabled})
	for i := range guessesHere + 1 {
		var got []string
		for n, account := range []string{"ann@example.org", "nobody@example.org", "off@example.org"} {
			got = append(got, fmt.Sprint(f.guess(t, account, "wrong", fmt.Sprintf("192.0.2.%d", n))))
		}
		if got[0] != got[1] || got[0] != got[2] {
			t.Errorf("guess %d: %q", i, got)
		}
	}
}

func TestOneAddressTriesFewAccounts(t *testing.T) {
	f := setup(t)
	for i := range guessesThere {
		// The hosts of one IPv6 network count as one.
		err := f.guess(t, fmt.Sprintf("user-%d", i), "wrong", fmt.Sprintf("2001:db8::%x", i+1))
		wantError(t, err, model.Unauthenticated, "Invalid username or password")
	}
	waits(t, f.guess(t, "ann@example.org", password, "2001:db8::ffff"))
	if err := f.guess(t, "ann@example.org", password, "2001:db8:0:1::1"); err != nil {
		t.Errorf("the next network: %v", err)
	}
	if f.Throttled() != 1 {
		t.Errorf("%d refused, want 1", f.Throttled())
	}
}

// People who know their passwords meet no limit.
func TestSuccessesAreNotCounted(t *testing.T) {
	f := setup(t)
	for range guessesThere + guessesHere {
		f.login(t)
	}
}

func TestTheThrottleIsBounded(t *testing.T) {
	b := bucketTable{every: time.Minute, most: 2}
	now := time.UnixMilli(1_700_000_000_000)
	var key tokenHash
	for i := range maxGuessers + 10 {
		binary.BigEndian.PutUint64(key[:], uint64(i))
		b.take(key, now)
	}
	if len(b.full) > maxGuessers {
		t.Errorf("%d buckets, want at most %d", len(b.full), maxGuessers)
	}
	b.shrink(now.Add(time.Hour))
	if len(b.full) != 0 {
		t.Errorf("%d full buckets are kept", len(b.full))
	}
}

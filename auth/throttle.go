package auth

import (
	"crypto/sha256"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidewire/tidewire/model"
)

// How often a password may be wrong. Only failures count: people who know theirs meet no
// limit, however many share an address.
//
// There is no limit of an account alone. It would lock its owner out for as long as somebody
// else keeps guessing.
const (
	guessesHere  = 10               // in a row, for one account from one address
	guessEvery   = 10 * time.Second // one more, after those
	guessesThere = 100              // in a row, from one address for all accounts
	guessEachFor = 2 * time.Second  // one more, after those
	// maxGuessers bounds each of the two tables, about 4 MiB. What is thrown out of a full one
	// may guess anew; filling it takes as many addresses.
	maxGuessers = 1 << 16
)

// A throttle slows down who guesses passwords.
type throttle struct {
	now     func() time.Time
	pairs   bucketTable
	peers   bucketTable
	refused atomic.Uint64
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, pairs: bucketTable{every: guessEvery, most: guessesHere}, peers: bucketTable{every: guessEachFor, most: guessesThere}}
}

// admit says whether account may be tried from address now. The answer depends on what was
// tried only, never on whether the account exists.
func (t *throttle) admit(account, address string) error {
	now := t.now()
	pair, peer := guesser(account, address)
	wait := max(t.pairs.wait(pair, now), t.peers.wait(peer, now))
	if wait <= 0 {
		return nil
	}
	t.refused.Add(1)
	return &model.Error{Kind: model.TooMany, Message: "Too many failed logins, please try again later!", Err: &model.RetryError{After: wait}}
}

// failed counts a wrong guess.
func (t *throttle) failed(account, address string) {
	now := t.now()
	pair, peer := guesser(account, address)
	t.pairs.take(pair, now)
	t.peers.take(peer, now)
}

// guesser names the two buckets of an attempt by hashes: a long name costs no more memory than
// a short one. An IPv6 host has a /64 to itself, so that is what counts.
func guesser(account, address string) (pair, peer tokenHash) {
	if a, err := netip.ParseAddr(address); err == nil {
		if a = a.Unmap().WithZone(""); a.Is6() {
			if p, err := a.Prefix(64); err == nil {
				a = p.Addr()
			}
		}
		address = a.String()
	}
	return sha256.Sum256([]byte(address + "\x00" + strings.ToLower(account))), sha256.Sum256([]byte(address))
}

// A bucketTable has a token bucket for each key: most tokens, one more every so often. What it
// keeps of a bucket is when it will be full; full ones are not kept.
type bucketTable struct {
	every time.Duration
	most  int

	mu   sync.Mutex
	full map[tokenHash]time.Time
}

// wait returns how long until there is a token; zero when there is one.
func (b *bucketTable) wait(key tokenHash, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	full, ok := b.full[key]
	if !ok {
		return 0
	}
	return max(0, full.Sub(now)-time.Duration(b.most-1)*b.every)
}

// take takes a token.
func (b *bucketTable) take(key tokenHash, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full == nil {
		b.full = make(map[tokenHash]time.Time)
	}
	from, ok := b.full[key]
	if !ok && len(b.full) >= maxGuessers {
		b.shrink(now)
	}
	if from.Before(now) {
		from = now
	}
	b.full[key] = from.Add(b.every)
}

// shrink forgets full buckets, then anything, an eighth at once.
func (b *bucketTable) shrink(now time.Time) {
	for key, full := range b.full {
		if !full.After(now) {
			delete(b.full, key)
		}
	}
	for key := range b.full {
		if len(b.full) < maxGuessers*7/8 {
			return
		}
		delete(b.full, key)
	}
}

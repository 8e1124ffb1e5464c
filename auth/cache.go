package auth

import (
	"crypto/sha256"
	"sync"

	"github.com/tidewire/tidewire/model"
)

// cacheShards spreads the locks of the cache, cacheShard bounds each part of it: 16,384
// tokens in all, about 4 MiB.
const (
	cacheShards = 16
	cacheShard  = 1024
)

// A tokenHash stands for a token in memory, so that a dump of it gives no tokens away.
type tokenHash [sha256.Size]byte

// hashToken does not allocate for tokens of the usual size.
func hashToken(token string) tokenHash {
	var buf [1024]byte
	return sha256.Sum256(append(buf[:0], token...))
}

// A tokenCache remembers which tokens were verified: checking a signature costs 7 µs.
type tokenCache struct {
	shards [cacheShards]struct {
		sync.RWMutex
		m map[tokenHash]model.Principal
	}
}

func newTokenCache() *tokenCache {
	c := &tokenCache{}
	for i := range c.shards {
		c.shards[i].m = make(map[tokenHash]model.Principal)
	}
	return c
}

func (c *tokenCache) get(h tokenHash) (model.Principal, bool) {
	s := &c.shards[h[0]%cacheShards]
	s.RLock()
	p, ok := s.m[h]
	s.RUnlock()
	return p, ok
}

// put remembers p until evicted. A full shard forgets what has expired by now, then
// anything, a quarter at once so that it is not searched at every put: map order is random
// enough, and what is used comes back.
func (c *tokenCache) put(h tokenHash, p model.Principal, now int64) {
	s := &c.shards[h[0]%cacheShards]
	s.Lock()
	defer s.Unlock()
	if len(s.m) >= cacheShard {
		for k, old := range s.m {
			if old.Expires <= now {
				delete(s.m, k)
			}
		}
		for k := range s.m {
			if len(s.m) < cacheShard*3/4 {
				break
			}
			delete(s.m, k)
		}
	}
	s.m[h] = p
}

func (c *tokenCache) drop(h tokenHash) {
	s := &c.shards[h[0]%cacheShards]
	s.Lock()
	delete(s.m, h)
	s.Unlock()
}

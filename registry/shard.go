package registry

import "sync"

// shardCount spreads the locks of a sharded map so that readers on many cores do not meet.
const shardCount = 64

// A sharded map is a map for many readers. Keys bring their own shard: ids end in random
// bits, hashes begin with them.
type sharded[K comparable, V any] struct {
	of     func(K) byte
	shards [shardCount]struct {
		sync.RWMutex
		m map[K]V
	}
}

func newSharded[K comparable, V any](of func(K) byte) *sharded[K, V] {
	s := &sharded[K, V]{of: of}
	for i := range s.shards {
		s.shards[i].m = make(map[K]V)
	}
	return s
}

func (s *sharded[K, V]) get(k K) (V, bool) {
	sh := &s.shards[s.of(k)%shardCount]
	sh.RLock()
	v, ok := sh.m[k]
	sh.RUnlock()
	return v, ok
}

func (s *sharded[K, V]) set(k K, v V) {
	sh := &s.shards[s.of(k)%shardCount]
	sh.Lock()
	sh.m[k] = v
	sh.Unlock()
}

func (s *sharded[K, V]) remove(k K) {
	sh := &s.shards[s.of(k)%shardCount]
	sh.Lock()
	delete(sh.m, k)
	sh.Unlock()
}

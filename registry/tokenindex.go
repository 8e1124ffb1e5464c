package registry

import (
	"sync"
	"time"

	"github.com/tidewire/tidewire/model"
)

// usePrecision is how exactly the last use of a token is known, ms: the hot path then writes
// to memory once a minute.
const usePrecision = int64(time.Minute / time.Millisecond)

// A tokenIndex is the API tokens and the API keys of users in memory, found by the hashes of their texts.
type tokenIndex struct {
	mu     sync.RWMutex
	byText map[lookup]*liveToken
	byID   map[model.ID]*liveToken
}

// A liveToken is one token or key. What it lets in never changes.
type liveToken struct {
	holder  model.Principal
	expires int64 // ms; zero is never
	off     bool  // the key is disabled
	barred  bool  // its user is
	old     *lookup
	overlap int64 // until when old works, ms
	used    int64 // ms; guarded by the index's lock
	saved   int64 // used as SQL has it
}

func newTokenIndex() *tokenIndex {
	return &tokenIndex{byText: map[lookup]*liveToken{}, byID: map[model.ID]*liveToken{}}
}

// forever is when a principal without an end ends.
const forever = 1<<63 - 1

// put adds a token known by one text.
func (x *tokenIndex) put(t *model.APIToken, text lookup) {
	grant := &model.Grant{Token: t.ID, Name: t.Name, Grants: t.Grants}
	if len(t.Entities) > 0 {
		grant.Entities = make(map[model.EntityID]bool, len(t.Entities))
		for _, id := range t.Entities {
			grant.Entities[id] = true
		}
	}
	live := &liveToken{expires: t.Expires, used: t.LastUsed, saved: t.LastUsed, holder: model.Principal{
		Tenant: t.Tenant, Customer: model.NoCustomer, Authority: model.TenantAdmin, Expires: t.Expires, Grant: grant,
	}}
	x.add(t.ID, live, text)
}

// putKey adds an API key.
func (x *tokenIndex) putKey(k *keyRow, text lookup) {
	x.add(k.ID, &liveToken{expires: k.Expires, used: k.LastUsed, saved: k.LastUsed, off: !k.Enabled, barred: k.barred, holder: model.Principal{
		User: k.User, Tenant: k.Tenant, Customer: k.customer, Authority: k.authority, Expires: k.Expires, Key: k.ID,
	}}, text)
}

func (x *tokenIndex) add(id model.ID, live *liveToken, text lookup) {
	if live.expires == 0 {
		live.holder.Expires = forever
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.byText[text], x.byID[id] = live, live
}

// enableKey lets a key in, or no longer.
func (x *tokenIndex) enableKey(id model.ID, enabled bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if live, ok := x.byID[id]; ok {
		live.off = !enabled
	}
}

// enableUser lets the keys of a user in, or no longer.
func (x *tokenIndex) enableUser(id model.UserID, enabled bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, live := range x.byID {
		if live.holder.User == id {
			live.barred = !enabled
		}
	}
}

// replace makes a token known by its current text, and by the one before for a while.
func (x *tokenIndex) replace(t *model.APIToken, current lookup, old *lookup, gone []lookup) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, l := range gone {
		delete(x.byText, l)
	}
	live, ok := x.byID[t.ID]
	if !ok {
		return
	}
	live.old, live.overlap = old, t.Overlap
	x.byText[current] = live
	if old != nil {
		x.byText[*old] = live
	}
}

func (x *tokenIndex) remove(id model.ID, texts []lookup) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.byID, id)
	for _, l := range texts {
		delete(x.byText, l)
	}
}

// holder returns whom a text lets in at an instant, ms.
func (x *tokenIndex) holder(text lookup, now int64) (model.Principal, bool) {
	x.mu.RLock()
	live, ok := x.byText[text]
	ok = ok && live.valid(now) && (live.old == nil || *live.old != text || now < live.overlap)
	stale := ok && now-live.used >= usePrecision
	x.mu.RUnlock()
	if !ok {
		return model.Principal{}, false
	}
	if stale {
		x.mu.Lock()
		live.used = max(live.used, now)
		x.mu.Unlock()
	}
	return live.holder, true
}

func (t *liveToken) valid(now int64) bool {
	return !t.off && !t.barred && (t.expires == 0 || now < t.expires)
}

func (x *tokenIndex) alive(id model.ID, now int64) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	live, ok := x.byID[id]
	return ok && live.valid(now)
}

// overlay fills in what memory knows better than SQL.
func (x *tokenIndex) overlay(t *model.APIToken) { t.LastUsed = max(t.LastUsed, x.lastUsed(t.ID)) }

// lastUsed returns when a token or key was last used, ms; zero is never.
func (x *tokenIndex) lastUsed(id model.ID) int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if live, ok := x.byID[id]; ok {
		return live.used
	}
	return 0
}

// keyUser returns whose a key is.
func (x *tokenIndex) keyUser(id model.ID) (model.UserID, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	live, ok := x.byID[id]
	if !ok || live.holder.Key != id {
		return model.UserID{}, false
	}
	return live.holder.User, true
}

// unsaved returns the last uses SQL does not have.
func (x *tokenIndex) unsaved() map[model.ID]int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	out := map[model.ID]int64{}
	for id, live := range x.byID {
		if live.used > live.saved {
			out[id] = live.used
		}
	}
	return out
}

func (x *tokenIndex) saved(used map[model.ID]int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, at := range used {
		if live, ok := x.byID[id]; ok {
			live.saved = max(live.saved, at)
		}
	}
}

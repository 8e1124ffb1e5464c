package tsdb

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidewire/tidewire/model"
)

// The limits Events.Near tells of.
const (
	LimitDeviceSeries = "device_series" // keys of an entity and scope
	LimitTenantSeries = "tenant_series" // keys of all entities of a tenant
	LimitSetKeys      = "set_keys"
	LimitSetPoints    = "set_points"
	LimitSetBytes     = "set_bytes"
	LimitKeyBytes     = "key_bytes"
	LimitHeadBytes    = "head_bytes"    // the flush is behind
	LimitPendingBytes = "pending_bytes" // the disk is behind: writers are about to wait
	LimitLogBytes     = "log_bytes"     // a consumer is about to lose entries
)

// LimitInfo says what is near a limit. Tenant and Entity are zero where it is not theirs.
type LimitInfo struct {
	Limit  string
	Tenant model.TenantID
	Entity model.EntityID
	Scope  model.Scope
	Value  int64
	Max    int64
}

func (i LimitInfo) String() string { return fmt.Sprintf("%s %d of %d", i.Limit, i.Value, i.Max) }

// A warning is told at 85 % of a limit, and can be told again once it was below 75 %.
const (
	nearPercent = 85
	farPercent  = 75
)

func isNear(value, limit int64) bool { return 100*float64(value) >= nearPercent*float64(limit) }
func isFar(value, limit int64) bool  { return 100*float64(value) < farPercent*float64(limit) }

// warnPause is how long it takes until a large set is told again: each set crosses the limit
// anew.
const warnPause = time.Hour

// warnings remember what was told.
type warnings struct {
	head, log atomic.Bool // told, and not below since
	mu        struct {
		sync.Mutex
		told  map[string]int64
		until map[string]time.Time
	}
}

func (w *warnings) tell(db *DB, i LimitInfo) {
	w.mu.Lock()
	if w.mu.told == nil {
		w.mu.told = map[string]int64{}
	}
	w.mu.told[i.Limit]++
	w.mu.Unlock()
	if db.options.Events.Near != nil {
		db.options.Events.Near(i)
	}
}

// counts returns how often each limit was told of.
func (w *warnings) counts() map[string]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.mu.told)
}

// nearSet warns of a set that is nearly too large. Ordinary sets cost two comparisons.
func (db *DB) nearSet(s *model.WriteSet, entry int) {
	l := &db.options.Limits
	if isNear(int64(len(s.Cells)), int64(l.Points)) {
		db.nearSetOf(LimitSetPoints, s, len(s.Cells), l.Points)
	}
	if isNear(int64(len(s.Keys)), int64(l.Keys)) {
		db.nearSetOf(LimitSetKeys, s, len(s.Keys), l.Keys)
	}
	if isNear(int64(entry), int64(l.SetBytes)) {
		db.nearSetOf(LimitSetBytes, s, entry, l.SetBytes)
	}
}

func (db *DB) nearSetOf(limit string, s *model.WriteSet, value, most int) {
	now := db.options.Now()
	w := &db.warnings
	w.mu.Lock()
	if now.Before(w.mu.until[limit]) {
		w.mu.Unlock()
		return
	}
	if w.mu.until == nil {
		w.mu.until = map[string]time.Time{}
	}
	w.mu.until[limit] = now.Add(warnPause)
	w.mu.Unlock()
	w.tell(db, LimitInfo{Limit: limit, Tenant: s.Tenant, Entity: s.Entity, Scope: s.Scope, Value: int64(value), Max: int64(most)})
}

// nearKeys warns of fresh keys that are nearly too long.
func (db *DB) nearKeys(s *model.WriteSet, fresh []string) {
	longest := 0
	for _, name := range fresh {
		longest = max(longest, len(name))
	}
	if most := db.options.Limits.KeyBytes; isNear(int64(longest), int64(most)) {
		db.nearSetOf(LimitKeyBytes, s, longest, most)
	}
}

// nearHead warns when the head is nearly full: the flush does not keep up.
func (db *DB) nearHead() {
	if n := db.stats.head.Load(); isNear(n, db.options.HeadBytes) && db.serving.Load() && !db.warnings.head.Swap(true) {
		db.warnings.tell(db, LimitInfo{Limit: LimitHeadBytes, Value: n, Max: db.options.HeadBytes})
	}
}

// nearLog warns when a consumer is about to lose entries. The lock of commits is held.
func (db *DB) nearLog() {
	n := db.commit.log.behind(db.cursors.least())
	switch {
	case isFar(n, db.options.LogMax):
		db.warnings.log.Store(false)
	case isNear(n, db.options.LogMax) && db.serving.Load() && !db.warnings.log.Swap(true):
		db.warnings.tell(db, LimitInfo{Limit: LimitLogBytes, Value: n, Max: db.options.LogMax})
	}
}

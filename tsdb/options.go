package tsdb

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/blocks"
)

// Options tunes a DB. The zero value is a production setting; each field says what its
// zero means. Open rejects a combination it cannot honour.
type Options struct {
	// HeadBytes bounds the memory of rows not yet in row groups. Zero means 256 MiB: about
	// twenty million points.
	HeadBytes int64
	// CatalogBytes is how much memory the records of idle entities (names, latest values)
	// may keep; those with rows in the head are always kept. Zero means 512 MiB, about a
	// million devices of ten keys.
	CatalogBytes int64
	// CacheBytes is the size of the block cache. Zero means 128 MiB.
	CacheBytes int64
	// LogBytes and LogAge are how much of the log is kept for Follow at the least, although
	// it is flushed and every consumer has read it: its last bytes, and what is younger. Zero
	// means 64 MiB and 5 minutes; a negative LogAge means that bytes alone count.
	LogBytes int64
	LogAge   time.Duration
	// LogMax bounds the log that is kept for consumers, and for LogAge: who falls behind
	// loses the oldest and is told. Zero means a tenth of the disk, at most 1 GiB.
	LogMax int64
	// ColumnsBytes bounds the memory of latest columns (LatestColumns): those unused for longest
	// go first. Zero means 256 MiB: a hundred thousand devices take 24 bytes each a key, and text.
	ColumnsBytes int64
	// ColumnsIdle is how long a latest column is kept that nobody asks for; when nothing is
	// written either, until something is. Zero means ten minutes.
	ColumnsIdle time.Duration
	// PendingBytes bounds what waits to be committed. Zero means 32 MiB.
	PendingBytes int64

	// NoRepair leaves damage as it is, for who looks after it himself: Open fails with ErrCorrupt
	// where it would repair, and nothing is mended later.
	NoRepair bool

	// Rewrites is how many row groups a flush rewrites for the deletes of one group. What
	// would take more is hidden at once and carried out in the background. Zero means 64,
	// less than zero that everything is.
	Rewrites int

	// Retention says how much of a series is kept. Nil keeps everything. See DB.Expire.
	Retention model.Retention
	// ExpireEvery is how often the flusher expires points. Zero means an hour.
	ExpireEvery time.Duration
	// MaxDiskBytes is how much the store may take on disk. Above it the oldest partition of
	// timeseries goes first, over all tenants, until it is below; Events.DiskCeiling warns
	// from nine tenths on. The present partition, of 30 days, stays, and so does what is no
	// timeseries: what these take it does not bound, and that is told. Zero bounds nothing.
	MaxDiskBytes int64

	// MinFree is how much of the disk must be free for sets to be taken; deletes and reads go
	// on below it, and sets when an eighth more is free. Zero means room for four memtables,
	// a flush and a compaction, 1 GiB; less than zero means that there is no floor.
	MinFree int64

	// Limits bounds what one call may carry.
	Limits Limits
	// Budget bounds what one query may cost, unless the query brings its own. Zero fields mean
	// a thousand million points scanned, a hundred million delivered, 64 MiB of buckets held,
	// and one minute of reading; a negative one bounds nothing.
	Budget model.Budget

	// Changes is told of every committed entry. Nil means nobody listens.
	Changes ChangeSink
	// Events observes the engine; nil funcs are skipped.
	Events Events

	FS     vfs.FS           // pebble's seam for tests; nil means the operating system
	Now    func() time.Time // the clock of expiry and statistics; nil means time.Now
	Random io.Reader        // makes the epoch; nil means crypto/rand

	manual   bool   // nothing is reclaimed and nothing expires but when asked for, in tests
	memTable uint64 // bytes of Pebble's memtable and log file; zero means 64 MiB; small in tests
	readOnly bool   // nothing is written: of CheckDir
	tuning   tuning // likewise: what is rare in production is met at once
}

// tuning is what production never changes. Zero means the constant.
type tuning struct {
	rules       blocks.Rules
	tombs       int64         // deletes in the head that make a flush due
	log         int64         // bytes of log behind the flush position that make a flush due
	retry       time.Duration // pause after a failure of the store
	commitGroup int           // bytes from which a commit group is full, 2 or more: it begins with one
	uncounted   bool          // Pebble counts no tables in the background: that outlives an Open that failed, and panics
}

// withDefaults returns a filled-in copy.
func (t tuning) withDefaults() tuning {
	t.rules = t.rules.WithDefaults()
	t.tombs = cmp.Or(t.tombs, maxTombs)
	t.log = cmp.Or(t.log, maxLog)
	t.retry = cmp.Or(t.retry, failurePause)
	t.commitGroup = cmp.Or(t.commitGroup, maxGroup)
	return t
}

// Limits bounds what one call may carry. An error names the limit and its value.
type Limits struct {
	Keys      int // keys of a set or a query; zero means 1,024
	Points    int // points of a set; zero means 100,000
	KeyBytes  int // bytes of a key; zero means 1,024 (255 characters of the contract)
	TextBytes int // bytes of a string or JSON value; zero means 1 MiB
	SetBytes  int // bytes of a set as logged; zero means 16 MiB
	// DeviceSeries bounds the keys of an entity and scope, TenantSeries those of all entities
	// of a tenant: beyond them a set with new keys fails with Quota. Zero means 10,000 and
	// ten million.
	DeviceSeries int
	TenantSeries int64
	Consumers    int   // names that follow the log; zero means 1,000
	Buckets      int64 // buckets of an aggregate a key; zero means 1,000,000
	MinTime      int64 // ms; zero means year 1900
	MaxTime      int64 // ms; zero means year 2262
	TTL          int64 // ms, of a set; zero means 100 years
}

// Instants outside these are typing errors (seconds or microseconds taken for ms), and
// would spread one device over thousands of partitions.
const (
	minTime = -2208988800000 // 1900-01-01T00:00:00Z
	maxTime = 9214646400000  // 2262-01-01T00:00:00Z
)

// maxTTL is longer than anybody means and short enough that an expiry is an instant.
const maxTTL = 36525 * 24 * 3600 * 1000

// withDefaults returns a filled-in copy, so nothing below asks "was this set?".
func (o Options) withDefaults() (Options, error) {
	o.HeadBytes = cmp.Or(o.HeadBytes, 256<<20)
	o.CatalogBytes = cmp.Or(o.CatalogBytes, 512<<20)
	o.CacheBytes = cmp.Or(o.CacheBytes, 128<<20)
	o.LogBytes = cmp.Or(o.LogBytes, 64<<20)
	o.LogAge = cmp.Or(o.LogAge, defaultLogAge)
	o.ColumnsBytes = cmp.Or(o.ColumnsBytes, 256<<20)
	o.ColumnsIdle = cmp.Or(o.ColumnsIdle, 10*time.Minute)
	o.PendingBytes = cmp.Or(o.PendingBytes, 32<<20)
	o.Limits.Keys = cmp.Or(o.Limits.Keys, 1024)
	o.Limits.Points = cmp.Or(o.Limits.Points, 100_000)
	o.Limits.KeyBytes = cmp.Or(o.Limits.KeyBytes, 1024)
	o.Limits.TextBytes = cmp.Or(o.Limits.TextBytes, 1<<20)
	o.Limits.SetBytes = cmp.Or(o.Limits.SetBytes, 16<<20)
	o.Limits.DeviceSeries = cmp.Or(o.Limits.DeviceSeries, 10_000)
	o.Limits.TenantSeries = cmp.Or(o.Limits.TenantSeries, 10_000_000)
	o.Limits.Consumers = cmp.Or(o.Limits.Consumers, 1000)
	o.Limits.Buckets = cmp.Or(o.Limits.Buckets, 1_000_000)
	o.Limits.MinTime = cmp.Or(o.Limits.MinTime, minTime)
	o.Limits.MaxTime = cmp.Or(o.Limits.MaxTime, maxTime)
	o.Budget = o.Budget.Or(model.Budget{Scanned: 1e9, Points: 100e6, Bytes: 64 << 20, Time: time.Minute})
	o.ExpireEvery = cmp.Or(o.ExpireEvery, time.Hour)
	o.Rewrites = max(0, cmp.Or(o.Rewrites, blocks.DefaultRewrites))
	o.Limits.TTL = cmp.Or(o.Limits.TTL, maxTTL)
	o.memTable = cmp.Or(o.memTable, 64<<20)
	o.tuning = o.tuning.withDefaults()
	o.MinFree = cmp.Or(o.MinFree, o.defaultFloor())
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	for _, b := range []struct {
		name       string
		value, min int64
	}{
		{"HeadBytes", o.HeadBytes, 64 << 10},
		{"CatalogBytes", o.CatalogBytes, 0},
		{"ColumnsBytes", o.ColumnsBytes, 0},
		{"CacheBytes", o.CacheBytes, 0},
		{"LogBytes", o.LogBytes, 0},
		{"LogMax", o.LogMax, 0},
		{"MaxDiskBytes", o.MaxDiskBytes, 0},
		{"PendingBytes", o.PendingBytes, int64(o.Limits.SetBytes)},
	} {
		if b.value < b.min {
			return o, fmt.Errorf("tsdb: %s of %d is smaller than %d", b.name, b.value, b.min)
		}
	}
	if o.Limits.MinTime >= o.Limits.MaxTime {
		return o, fmt.Errorf("tsdb: MinTime %d is not before MaxTime %d", o.Limits.MinTime, o.Limits.MaxTime)
	}
	return o, nil
}

// A ChangeSink is told of committed entries, in the order of their positions and after they
// are visible. Both methods are called by the committer: they must be fast and never block.
type ChangeSink interface {
	// Wants reports whether anybody cares about the entity. It is asked after the entry is
	// visible, so who registers first and reads then misses nothing.
	Wants(model.TenantID, model.EntityID) bool
	// Publish hands over a change, which is immutable and may be kept.
	Publish(*model.Change)
}

// Events observes the engine. The functions are called from its goroutines and must not
// call the DB.
type Events struct {
	// Flushed is called when a head has become row groups.
	Flushed func(FlushInfo)
	// Failed is called when background work failed; it will be tried again. It is called once
	// a second and kind of work, however often it fails.
	Failed func(error)
	// Space is called when the disk falls below Options.MinFree, and when it no longer is.
	Space func(SpaceInfo)
	// Near is called when something has reached 85 % of a limit; again only after it was
	// below 75 %, or of sets, which come and go, an hour later.
	Near func(LimitInfo)
	// Behind is called when the log left a consumer behind, once until it goes on.
	Behind func(BehindInfo)
	// DiskCeiling is called before MaxDiskBytes makes a partition of timeseries go, and after;
	// and once an hour while the store is above it although nothing older is left.
	DiskCeiling func(DiskCeilingInfo)
	// Expired is called when retention took something.
	Expired func(ExpireReport)
	// Damaged is called when bytes on disk turned out to be damaged: once a table with its
	// name, and once a place with a *[model.DamageError] when a query needs it.
	Damaged func(error)
	// Fatal is called when the log cannot be written any more, ENOSPC included: nothing is
	// acknowledged after it, and it must see to it that the process ends. It is called
	// once, by any goroutine; when it returns, every call fails with the error until Close.
	// Nil panics.
	Fatal func(error)
	// Passing is called at every [Moment], by the goroutine at work and with locks held. It
	// is for tests, which end the process there.
	Passing func(Moment)
}

// FlushInfo describes a flush.
type FlushInfo struct {
	Position  model.Position // everything up to it is in row groups now
	Groups    int
	Rows      int64
	RowGroups int // written, joins included
	Revisions int
	Bytes     int64
	Took      time.Duration
}

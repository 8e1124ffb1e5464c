package tsdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// formatVersion is that of everything in the store that has no version of its own.
const formatVersion = 2

// pebbleFormat is pinned: a newer Pebble must not change files in passing.
const pebbleFormat = pebble.FormatTableFormatV6

// The meta rows.
const (
	metaVersion = "version" // <4 LE>
	metaEpoch   = "epoch"   // <8 LE>
	metaFlush   = "flush"   // position <8 LE> | next group <8 LE> | first position of the log <8 LE> | batch <8 LE>
	// metaLog and metaConsumer stand with what they are about.
)

// flushState is the meta row that every change of row groups moves.
type flushState struct {
	position  model.Position // everything up to it is in the store
	nextGroup uint64         // numbers from it on were not given
	logFirst  model.Position // the first position still in the log
	batch     uint64         // counts the batches that changed row groups: a snapshot tells which it has
}

func (s flushState) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.position))
	dst = binary.LittleEndian.AppendUint64(dst, s.nextGroup)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.logFirst))
	return binary.LittleEndian.AppendUint64(dst, s.batch)
}

func parseFlushState(b []byte) (flushState, error) {
	if len(b) != 32 {
		return flushState{}, fmt.Errorf("%w: flush state of %d bytes", ErrCorrupt, len(b))
	}
	return flushState{
		position:  model.Position(binary.LittleEndian.Uint64(b)),
		nextGroup: binary.LittleEndian.Uint64(b[8:]),
		logFirst:  model.Position(binary.LittleEndian.Uint64(b[16:])),
		batch:     binary.LittleEndian.Uint64(b[24:]),
	}, nil
}

// openStore opens the Pebble store in dir with the options that were measured to matter.
// What Pebble would tidy up in the background waits until serving is set, and then for its
// next flush: it would take from a start the processors and the disk.
func openStore(dir string, o Options, serving *atomic.Bool, told signals, failed func(error), damage *damages, failures *failures) (store *pebble.DB, unlock func() error, err error) {
	if err := o.FS.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("make directory %s: %w", dir, err)
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) && !errors.Is(err, os.ErrPermission) ||
			strings.Contains(err.Error(), "lock held") {
			return nil, nil, fmt.Errorf("%w: %s; stop it, or choose another directory", ErrLocked, dir)
		}
		return nil, nil, fmt.Errorf("lock directory %s: %w", dir, err)
	}
	cache := pebble.NewCache(o.CacheBytes)
	defer cache.Unref()
	po := &pebble.Options{
		FS:                          tableFS{o.FS, &damage.frames},
		Lock:                        lock,
		ReadOnly:                    o.readOnly,
		Cache:                       cache,
		Comparer:                    pebble.DefaultComparer,
		FormatMajorVersion:          pebbleFormat,
		Logger:                      logger{failed},
		EventListener:               listener(failures.store, damage, told),
		MemTableSize:                o.memTable,
		MemTableStopWritesThreshold: 1 << 20, // see lookBehind
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       1 << 20, // back-pressure is the head's: Pebble must not stall a commit
		CompactionConcurrencyRange: func() (int, int) {
			if !serving.Load() {
				return 0, 1
			}
			return 1, 2
		},
		MaxOpenFiles:      1000,
		BytesPerSync:      1 << 20,
		DisableTableStats: o.tuning.uncounted,
	}
	// All of a table's values stay in its data blocks, which can be mended.
	po.Experimental.SpanPolicyFunc = func([]byte) (pebble.SpanPolicy, []byte, error) {
		return pebble.SpanPolicy{DisableValueSeparationBySuffix: true}, nil, nil
	}
	for i := range po.Levels {
		po.Levels[i].BlockSize = 32 << 10
		po.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression } // blocks are coded already
	}
	if err := checkNamed(o.FS, dir); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open store in %s: %w", dir, err), lock.Close())
	}
	if err := checkLogTail(o.FS, dir); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open the log in %s: %w", dir, err), lock.Close())
	}
	store, err = pebble.Open(dir, po)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: a file is gone: %w", ErrCorrupt, err)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open store in %s: %w", dir, err), lock.Close())
	}
	return store, lock.Close, nil
}

// checkNamed fails with ErrCorrupt where tables lie that no manifest is marked for: Pebble would
// take the directory for a new store, and remove them.
func checkNamed(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	marked := slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "marker.manifest.") })
	if !marked && slices.ContainsFunc(names, isTable) {
		return fmt.Errorf("%w: it has tables and nothing that names them", ErrCorrupt)
	}
	return nil
}

// signals are what Pebble's goroutines tell the flusher. Nobody waits for it: a nil or full
// channel swallows what is sent.
type signals struct {
	written chan struct{} // capacity 1: a table was written
	torn    chan error    // somebody met damage, and will again
}

// tear tells of an error, if it is one of damage.
func (s signals) tear(err error) {
	if pebble.ExtractDataCorruptionInfo(err) == nil {
		return
	}
	select {
	case s.torn <- err:
	default: // the next try tells again
	}
}

// listener signals, and reports what Pebble finds damaged. Unset, Pebble would end the process.
func listener(failed func(error), damage *damages, told signals) *pebble.EventListener {
	l := &pebble.EventListener{
		BackgroundError: func(err error) {
			failed(err)
			told.tear(err)
		},
		DataCorruption: damage.met,
		FlushEnd: func(pebble.FlushInfo) {
			select {
			case told.written <- struct{}{}:
			default: // it is told already
			}
		},
	}
	l.EnsureDefaults(quiet{})
	return l
}

// logger stands between Pebble and the process: Pebble expects Fatalf not to return.
type logger struct{ failed func(error) }

func (logger) Infof(string, ...any)  {}
func (logger) Errorf(string, ...any) {}
func (l logger) Fatalf(format string, args ...any) {
	l.failed(fmt.Errorf("tsdb: "+format, args...))
}

// quiet makes Pebble's default event handlers silent.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// get calls fn with the value of a key, which is valid during the call, and reports whether
// there is one.
func get(r pebble.Reader, key []byte, fn func([]byte) error) (found bool, err error) {
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	return true, fn(value)
}

type commitFunc func(*pebble.Batch, *pebble.WriteOptions) error

// loadMeta reads the meta rows, writing them first into a new store.
func loadMeta(store *pebble.DB, random io.Reader, commit commitFunc) (epoch uint64, flush flushState, err error) {
	var version uint32
	found, err := get(store, keys.AppendMeta(nil, metaVersion), func(b []byte) error {
		if len(b) != 4 {
			return fmt.Errorf("%w: version of %d bytes", ErrCorrupt, len(b))
		}
		version = binary.LittleEndian.Uint32(b)
		return nil
	})
	switch {
	case err != nil:
		return 0, flush, fmt.Errorf("read format version: %w", err)
	case !found:
		return newMeta(store, random, commit)
	case version < formatVersion:
		return 0, flush, fmt.Errorf("%w: %d comes from a development build and cannot be read; this program writes %d", ErrVersion, version, formatVersion)
	case version > formatVersion:
		return 0, flush, fmt.Errorf("%w: %d, this program knows %d", ErrVersion, version, formatVersion)
	}
	if _, err = get(store, keys.AppendMeta(nil, metaEpoch), func(b []byte) error {
		if len(b) != 8 {
			return fmt.Errorf("%w: epoch of %d bytes", ErrCorrupt, len(b))
		}
		epoch = binary.LittleEndian.Uint64(b)
		return nil
	}); err != nil {
		return 0, flush, fmt.Errorf("read epoch: %w", err)
	}
	flush, err = readFlushState(store)
	return epoch, flush, err
}

func newMeta(store *pebble.DB, random io.Reader, commit commitFunc) (epoch uint64, flush flushState, err error) {
	var seed [8]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return 0, flush, fmt.Errorf("make epoch: %w", err)
	}
	epoch = binary.LittleEndian.Uint64(seed[:]) | 1
	flush = flushState{nextGroup: 1, logFirst: 1}
	batch := store.NewBatch()
	err = errors.Join(
		batch.Set(keys.AppendMeta(nil, metaVersion), binary.LittleEndian.AppendUint32(nil, formatVersion), nil),
		batch.Set(keys.AppendMeta(nil, metaEpoch), binary.LittleEndian.AppendUint64(nil, epoch), nil),
		batch.Set(keys.AppendMeta(nil, metaFlush), flush.append(nil), nil),
	)
	if err != nil {
		err = errors.Join(err, batch.Close())
	} else {
		err = commit(batch, pebble.Sync)
	}
	if err != nil {
		return 0, flush, fmt.Errorf("write meta rows: %w", err)
	}
	return epoch, flush, nil
}

var metaFlushKey = keys.AppendMeta(nil, metaFlush)

func readFlushState(r pebble.Reader) (s flushState, err error) {
	found, err := get(r, metaFlushKey, func(b []byte) error {
		s, err = parseFlushState(b)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: no flush state", ErrCorrupt)
	}
	if err != nil {
		return s, fmt.Errorf("read flush state: %w", err)
	}
	return s, nil
}

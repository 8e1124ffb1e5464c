package tsdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A mark is a place where the log could be cut: the end of a commit group, how many bytes
// of log had ever been written by then, and when that was.
type mark struct {
	position model.Position
	bytes    int64
	at       int64 // ms
}

// A keeper knows what the log holds. It is guarded by the lock of commits.
type keeper struct {
	cut   mark   // the log begins behind it
	marks []mark // behind cut, ascending
	total int64  // bytes of log ever written
}

// last is the mark at the end.
func (k *keeper) last() mark {
	if n := len(k.marks); n > 0 {
		return k.marks[n-1]
	}
	return k.cut
}

// kept is how many bytes the log holds.
func (k *keeper) kept() int64 { return k.total - k.cut.bytes }

// behind estimates from below how many bytes of log lie behind p.
func (k *keeper) behind(p model.Position) int64 {
	for _, m := range k.marks {
		if m.position >= p {
			return k.total - m.bytes
		}
	}
	return 0
}

// maxLog bounds the log behind the flush position, which is what recovery has to read.
const maxLog = 512 << 20

// behindFlush is how much log makes the head due for a flush: the log cannot be cut behind
// the flush position, so its bound must leave room for that.
func (o *Options) behindFlush() int64 { return min(o.tuning.log, max(o.LogMax/2, 1)) }

// spacing is how far marks are apart.
func (o *Options) spacing() int64 { return max(min(1<<20, o.LogBytes/64, o.LogMax/64), 1) }

// grow accounts for a commit group of n bytes that ends at p. The lock of commits is held,
// or nothing else runs yet.
func (db *DB) grow(p model.Position, n int64) {
	k := &db.commit.log
	k.total += n
	db.commit.logBytes += n
	if k.total-k.last().bytes >= db.options.spacing() {
		k.marks = append(k.marks, mark{p, k.total, db.options.Now().UnixMilli()})
		db.nearLog()
		db.lookBehind()
	}
}

// markFlush sees to it that the flush position p has a mark: what a restart knows of the log
// behind it comes from the replay.
func (k *keeper) markFlush(p model.Position, spacing, now int64) {
	m := mark{p, k.total, now}
	before := k.cut
	n := len(k.marks)
	if n >= 2 {
		before = k.marks[n-2]
	}
	switch {
	case k.last().position == p:
	case n > 0 && k.marks[n-1].bytes-before.bytes < spacing:
		k.marks[n-1] = m // a flush a second must not make a mark each
	default:
		k.marks = append(k.marks, m)
	}
}

// cutAt returns the last mark at which the log may be cut now: flushed, read by every
// consumer, and neither young nor among the last bytes; or beyond the bound, whoever has
// read it. held says that a consumer prevented more.
func (k *keeper) cutAt(o *Options, flushed, read model.Position, now int64) (at mark, ok, held bool) {
	for _, m := range k.marks {
		if m.position > flushed {
			break
		}
		if k.total-m.bytes < o.LogMax { // else it has to go
			if k.total-m.bytes < o.LogBytes || now-m.at < o.LogAge.Milliseconds() {
				break
			}
			if m.position > read {
				return at, ok, true
			}
		}
		at, ok = m, true
	}
	return at, ok, false
}

// drop forgets the marks up to at.
func (k *keeper) drop(at mark) {
	k.cut = at
	for len(k.marks) > 0 && k.marks[0].position <= at.position {
		k.marks = k.marks[1:]
	}
}

// metaLog is the row that tells a restart what the log holds up to the flush position:
// where it begins, then each mark: position <8 LE> | bytes <8 LE> | instant <8 LE>, and of
// the marks what they add to the one before: uvarint | uvarint | varint.
const metaLog = "log"

// append adds the content of the row of what lies up to flushed.
func (k *keeper) append(dst []byte, flushed model.Position) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(k.cut.position))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(k.cut.bytes))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(k.cut.at))
	before := k.cut
	for _, m := range k.marks {
		if m.position > flushed {
			break
		}
		dst = binary.AppendUvarint(dst, uint64(m.position-before.position))
		dst = binary.AppendUvarint(dst, uint64(m.bytes-before.bytes))
		dst = binary.AppendVarint(dst, m.at-before.at)
		before = m
	}
	return dst
}

// parse reads what append wrote.
func (k *keeper) parse(b []byte) error {
	if len(b) < 24 {
		return fmt.Errorf("%w: row of the log of %d bytes", ErrCorrupt, len(b))
	}
	k.cut = mark{
		position: model.Position(binary.LittleEndian.Uint64(b)),
		bytes:    int64(binary.LittleEndian.Uint64(b[8:])),
		at:       int64(binary.LittleEndian.Uint64(b[16:])),
	}
	k.marks = nil
	for b, m := b[24:], k.cut; len(b) > 0; {
		p, n := binary.Uvarint(b)
		size, s := binary.Uvarint(b[max(n, 0):])
		at, a := binary.Varint(b[max(n, 0)+max(s, 0):])
		if n <= 0 || s <= 0 || a <= 0 {
			return fmt.Errorf("%w: row of the log", ErrCorrupt)
		}
		b = b[n+s+a:]
		m = mark{m.position + model.Position(p), m.bytes + int64(size), m.at + at}
		k.marks = append(k.marks, m)
	}
	k.total = k.last().bytes
	return nil
}

// logRow returns the row of the log up to a flush position.
func (db *DB) logRow(flushed model.Position) []byte {
	db.commit.Lock()
	defer db.commit.Unlock()
	return db.commit.log.append(nil, flushed)
}

func (k *keeper) load(r pebble.Reader) error {
	_, err := get(r, keys.AppendMeta(nil, metaLog), k.parse)
	if err != nil {
		return fmt.Errorf("read the row of the log: %w", err)
	}
	return nil
}

// BehindInfo tells what a consumer has lost.
type BehindInfo struct {
	Consumer string
	From, To model.Position // the entries it can no longer read
}

// trim cuts the log where it may be cut, and writes the cursors with it: a cursor on disk
// is never behind the beginning of the log unless its consumer was told. The lock of the
// flusher is held.
func (f *flusher) trim() error {
	behind, err := f.cutLog()
	if err != nil {
		return fmt.Errorf("cut the log: %w", err)
	}
	if f.db.options.Events.Behind != nil {
		for _, b := range behind {
			f.db.options.Events.Behind(b)
		}
	}
	return nil
}

func (f *flusher) cutLog() (behind []BehindInfo, err error) {
	db := f.db
	db.commit.Lock() // so that no commit group writes a cursor at the same time
	defer db.commit.Unlock()
	k := &db.commit.log
	state := f.run.state
	at, ok, held := k.cutAt(&db.options, state.position, db.cursors.least(), db.options.Now().UnixMilli())
	db.held.Store(held)
	if !ok && !db.cursors.changed.Load() {
		return nil, nil
	}
	batch := db.store.NewBatch()
	if db.cursors.changed.Load() {
		db.at(AtCursor)
	}
	if err := db.cursors.put(batch); err != nil {
		return nil, errors.Join(err, batch.Close())
	}
	if ok {
		next := keeper{cut: k.cut, marks: k.marks}
		next.drop(at)
		state.logFirst = at.position + 1
		db.at(AtLogCut)
		if err := errors.Join(
			batch.DeleteRange(keys.AppendLog(nil, f.run.state.logFirst), keys.AppendLog(nil, state.logFirst), nil),
			batch.Set(keys.AppendMeta(nil, metaLog), next.append(nil, state.position), nil),
			batch.Set(metaFlushKey, state.append(nil), nil),
		); err != nil {
			return nil, errors.Join(err, batch.Close())
		}
	}
	if err := db.commitBatch(batch, pebble.NoSync); err != nil {
		return nil, err
	}
	if !ok {
		return nil, nil
	}
	k.drop(at)
	f.run.state = state
	return db.cursors.fallBehind(state.logFirst), nil
}

// trimDue reports whether trim would shorten the log although nothing is flushed: because it
// is over its bound, or a consumer let go of it.
func (db *DB) trimDue() bool {
	db.commit.Lock()
	defer db.commit.Unlock()
	k := &db.commit.log
	if !db.held.Load() && k.kept() < db.options.LogMax {
		return false
	}
	_, ok, _ := k.cutAt(&db.options, model.Position(db.flushed.Load()), db.cursors.least(), db.options.Now().UnixMilli())
	return ok
}

// logMax returns the bound of the log: unless it was given a tenth of the disk, at most
// 1 GiB, which is also for a disk of unknown size.
func logMax(o Options, dir string) int64 {
	const most = 1 << 30
	if o.LogMax > 0 {
		return o.LogMax
	}
	usage, err := o.FS.GetDiskUsage(dir)
	if err != nil || usage.TotalBytes == 0 {
		return most
	}
	return int64(min(usage.TotalBytes/10, most))
}

const defaultLogAge = 5 * time.Minute

package tsdb

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A BackupFile is a file of a backup.
type BackupFile struct {
	Name string // below the backup's directory
	Size int64
	CRC  uint32 // crc32c of the bytes
}

// A BackupInfo says what a backup holds.
type BackupInfo struct {
	Epoch    uint64
	Position model.Position // it holds everything up to it, and perhaps more
	Files    []BackupFile   // by name
	Copied   int64          // bytes written
	Shared   int64          // bytes shared with the backup before
	Damaged  []string       // files that were copied with blocks that cannot be read
}

// A BackupBase is an earlier backup of the same epoch, in the same file system: its tables,
// which never change, become tables of the new one.
type BackupBase struct {
	Dir   string
	Files []BackupFile
}

// stagingDir is where a backup holds on to the store's files while it copies them.
const stagingDir = "checkpoint"

// Backup copies the store to dir, which must not exist, while it goes on: what was
// acknowledged before is in it, sets whole, and no file of it is one of the store's, so that
// damage to the one is none to the other. The copy is a store that Open opens. What is damaged
// of the tables it copies is told, and copied as it is; those it shares it does not read. One
// backup runs at a time; a failed one leaves nothing behind.
func (db *DB) Backup(ctx context.Context, dir string, base *BackupBase) (info BackupInfo, err error) {
	if err := db.enter(); err != nil {
		return info, err
	}
	defer db.leave()
	if !db.backing.TryLock() {
		return info, model.Errorf(model.Conflict, "A backup is running already")
	}
	defer db.backing.Unlock()
	fs := db.options.FS
	if _, err := fs.Stat(dir); err == nil {
		return info, model.Errorf(model.Conflict, "There is something at %s already", dir)
	}
	db.at(AtBackupBegin)
	info.Epoch, info.Position = db.epoch, db.Position()
	staging := fs.PathJoin(db.dir, stagingDir)
	if err := fs.RemoveAll(staging); err != nil {
		return info, fmt.Errorf("clear %s: %w", staging, err)
	}
	if err := db.store.Checkpoint(staging, pebble.WithFlushedWAL()); err != nil {
		return info, fmt.Errorf("checkpoint the store: %w", err)
	}
	defer func() { err = errors.Join(err, fs.RemoveAll(staging)) }()
	defer func() {
		if err != nil {
			err = errors.Join(err, fs.RemoveAll(dir))
		}
	}()
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return info, fmt.Errorf("make %s: %w", dir, err)
	}
	names, err := fs.List(staging)
	if err != nil {
		return info, fmt.Errorf("list %s: %w", staging, err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := db.backUp(ctx, staging, dir, name, base, &info); err != nil {
			return info, fmt.Errorf("back up %s: %w", name, err)
		}
	}
	if err := syncDir(fs, dir); err != nil {
		return info, err
	}
	db.at(AtBackupCopied)
	return info, nil
}

// backUp copies one file, or shares it with base.
func (db *DB) backUp(ctx context.Context, from, to, name string, base *BackupBase, info *BackupInfo) error {
	fs := db.options.FS
	source, target := fs.PathJoin(from, name), fs.PathJoin(to, name)
	if base != nil && path.Ext(name) == ".sst" { // a number is given to one table in an epoch, which never changes but by a repair
		stat, err := fs.Stat(source)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(base.Files, func(f BackupFile) bool { return f.Name == name && f.Size == stat.Size() })
		if at >= 0 { // what was cut short since is nothing to share
			if stat, err := fs.Stat(fs.PathJoin(base.Dir, name)); err != nil || stat.Size() != base.Files[at].Size {
				at = -1
			}
		}
		if at >= 0 && !db.losses.mended(name) && fs.Link(fs.PathJoin(base.Dir, name), target) == nil {
			info.Files = append(info.Files, base.Files[at])
			info.Shared += base.Files[at].Size
			return nil
		}
	}
	f, err := copyFile(ctx, fs, source, target)
	if err != nil {
		return err
	}
	f.Name = name
	info.Files = append(info.Files, f)
	info.Copied += f.Size
	if !isTable(name) {
		return nil
	}
	_, torn, err := damagedSpans(fs, target)
	if errors.Is(err, errUnread) {
		return err
	}
	if err == nil && len(torn) > 0 {
		err = fmt.Errorf("%d blocks of it", len(torn))
	}
	if err != nil {
		info.Damaged = append(info.Damaged, name)
		db.damage.table(name, err)
	}
	return nil
}

// copyFile copies a file and syncs the copy.
func copyFile(ctx context.Context, fs vfs.FS, from, to string) (f BackupFile, err error) {
	source, err := fs.Open(from, vfs.SequentialReadsOption)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := fs.Create(to, vfs.WriteCategoryUnspecified)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return f, err
		}
		n, err := source.Read(buf)
		if n > 0 {
			if _, err := target.Write(buf[:n]); err != nil {
				return f, err
			}
			f.Size += int64(n)
			f.CRC = crc32.Update(f.CRC, castagnoli, buf[:n])
		}
		if errors.Is(err, io.EOF) {
			return f, target.Sync()
		}
		if err != nil {
			return f, err
		}
	}
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// Restored makes the copy of a store at dir a history of its own: it gets a new epoch, so
// that nobody takes its positions for those of the store it was copied from.
func Restored(dir string, o Options) (err error) {
	o, err = o.withDefaults()
	if err != nil {
		return err
	}
	if _, err := o.FS.Stat(dir); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	random := o.Random
	if random == nil {
		random = rand.Reader
	}
	var epoch [8]byte
	if _, err := io.ReadFull(random, epoch[:]); err != nil {
		return fmt.Errorf("make epoch: %w", err)
	}
	var failed error
	fail := func(err error) { failed = errors.Join(failed, err) }
	store, unlock, err := openStore(dir, o, new(atomic.Bool), signals{}, fail, newDamages(o.FS, Events{}), newFailures(&o))
	if err != nil {
		return err
	}
	ok, err := get(store, keys.AppendMeta(nil, metaEpoch), func([]byte) error { return nil })
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s is no copy of a store", ErrCorrupt, dir)
	}
	if err != nil {
		return errors.Join(corrupt(err), store.Close(), unlock())
	}
	err = store.Set(keys.AppendMeta(nil, metaEpoch), binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(epoch[:])|1), pebble.Sync)
	return errors.Join(err, failed, store.Close(), unlock())
}

package tsdb

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// The errors callers branch on.
var (
	// ErrLocked: another process has the directory open.
	ErrLocked = errors.New("tsdb: directory is in use by another process")
	// ErrVersion: the directory was written by a newer version of the format.
	ErrVersion = errors.New("tsdb: unknown format version")
	// ErrClosed: the DB is closed.
	ErrClosed = errors.New("tsdb: closed")
	// ErrBehind: the log does not reach back that far; it arrives inside a *BehindError.
	ErrBehind = errors.New("tsdb: the log does not reach back that far")
	// ErrCorrupt marks damaged bytes on disk; it arrives inside a *CorruptionError.
	ErrCorrupt = errors.New("tsdb: corrupt")
)

// corrupt marks an error of Pebble about damaged bytes with ErrCorrupt; that of a disk which fails
// stays as it is.
func corrupt(err error) error {
	if pebble.IsCorruptionError(err) && !errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// isDamage reports whether an error is about damaged bytes, not about a disk that fails.
func isDamage(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, catalog.ErrRow) || errors.Is(err, rowgroup.ErrCorrupt) || pebble.IsCorruptionError(err)
}

// A BehindError says where the log begins.
type BehindError struct {
	From  uint64 // the position asked for
	First uint64 // the first position that can be followed from
}

func (e *BehindError) Error() string {
	return fmt.Sprintf("tsdb: the log begins behind position %d, asked for %d", e.First, e.From)
}
func (e *BehindError) Unwrap() error { return ErrBehind }

// A CorruptionError is what an operator needs at 3 a.m.
type CorruptionError struct {
	Group uint64
	From  int64 // first timestamp of the damaged row group, ms
	Check error // the check that failed
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("tsdb: group %d, row group from %d: %v", e.Group, e.From, e.Check)
}
func (e *CorruptionError) Unwrap() []error { return []error{ErrCorrupt, e.Check} }

package rowgroup

import (
	"encoding/binary"
	"errors"
	"math"
)

// The limits of a row group.
const (
	// MaxRows bounds the rows: half a day at one row each ten seconds, 32 steps.
	MaxRows = 4096
	// MaxBytes bounds what Fit puts into one row group, measured before encoding; a single
	// row may exceed it. It keeps a row group of texts within a few table blocks.
	MaxBytes = 256 << 10
	// StepRows is the number of rows of a step. ThingsBoard's buckets start anywhere, so a
	// bucket's edge costs decoding this many rows.
	StepRows = 128
	// MaxColumns bounds the keys of a group.
	MaxColumns = 32
	// PartitionMillis is the span of time of a partition. Row groups never cross it, so that
	// retention drops whole partitions.
	PartitionMillis = 30 * 24 * 3600 * 1000
)

// PartitionOf returns the partition of an instant; those before 1970 have negative numbers.
func PartitionOf(ts int64) int64 {
	p := ts / PartitionMillis
	if ts%PartitionMillis < 0 {
		p--
	}
	return p
}

// PartitionEnd returns the first instant behind the partition of ts, or the end of time.
func PartitionEnd(ts int64) int64 {
	p := PartitionOf(ts)
	if p >= math.MaxInt64/PartitionMillis {
		return math.MaxInt64
	}
	return (p + 1) * PartitionMillis
}

// ErrCorrupt marks bytes that are no row group or page, or one of another key.
var ErrCorrupt = errors.New("rowgroup: corrupt")

// A Key says which row group, or which page, bytes are; the checksum covers it.
type Key struct {
	Partition int64
	Group     uint64
	First     int64 // instant of the first row, ms
}

// keyLen is the length of a key on disk.
const keyLen = 1 + 8 + 8 + 8

// keySpace is the first byte of the keys of row groups.
const keySpace = 'b'

// Append adds the key on disk to dst: order of keys is order of partition, group, time.
func (k Key) Append(dst []byte) []byte {
	dst = append(dst, keySpace)
	dst = binary.BigEndian.AppendUint64(dst, uint64(k.Partition)^1<<63)
	dst = binary.BigEndian.AppendUint64(dst, k.Group)
	return binary.BigEndian.AppendUint64(dst, uint64(k.First)^1<<63)
}

// ParseKey reads what Key.Append wrote.
func ParseKey(b []byte) (Key, error) {
	if len(b) != keyLen || b[0] != keySpace {
		return Key{}, ErrCorrupt
	}
	return Key{
		Partition: int64(binary.BigEndian.Uint64(b[1:]) ^ 1<<63),
		Group:     binary.BigEndian.Uint64(b[9:]),
		First:     int64(binary.BigEndian.Uint64(b[17:]) ^ 1<<63),
	}, nil
}

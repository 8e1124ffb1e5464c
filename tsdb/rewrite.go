package tsdb

import (
	"bytes"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// rewrite makes a table of the data blocks that can be found in one that Pebble cannot open. It
// has the size of the old one, which Pebble has noted, and larger blocks, so that it does not
// need more.
func (m *frameMend) rewrite(t rawTable, bounds keySpan) error {
	m.what, m.dels = "the table", true
	limit := uint64(len(t) - footerLen)
	if list, _, ok := t.footer(); ok {
		if content := t.content(list); content != nil {
			_, m.dels = metaBlocks(content)[metaRangeDel]
		}
	}
	data := t.dataBlocks(limit)
	if n := len(data); n > 0 {
		// An index behind them says that these were the last.
		behind := t[data[n-1].end():limit]
		if _, sound := blockLength(behind); sound && isColumns(behind, 0, 4) {
			limit = data[n-1].end()
		}
	}
	for kept := len(data); kept >= 0; kept-- { // what does not fit, if anything: the end
		file, err := t.rewritten(data[:kept], bounds)
		if err != nil {
			return err
		}
		left := len(t) - len(file)
		if left < 0 {
			continue
		}
		m.whole = append(file[:len(file)-footerLen:len(file)-footerLen], make([]byte, left)...)
		m.whole = append(m.whole, file[len(file)-footerLen:]...)
		m.lose(gapsAround(data[:kept], limit, bounds))
		return nil
	}
	return fmt.Errorf("%w: %d bytes", errUnmendable, len(t))
}

// rewritten returns a table of data blocks. One of none has a deletion of a key nobody writes.
func (t rawTable) rewritten(data []foundBlock, bounds keySpan) ([]byte, error) {
	var file memoryFile
	w := sstable.NewRawWriter(&file, sstable.WriterOptions{
		TableFormat: sstable.TableFormatPebblev6, Comparer: pebble.DefaultComparer, MergerName: pebble.DefaultMerger.Name,
		BlockSize: 256 << 10, IndexBlockSize: 1 << 30, Compression: sstable.NoCompression,
	})
	rows := 0
	for i := range data {
		err := dataRows(t.content(data[i].Handle), func(k *pebble.InternalKey, value []byte) error {
			rows++
			return w.Add(*k, value, false)
		})
		if err != nil {
			return nil, fmt.Errorf("rewrite a table: %w", err)
		}
	}
	if rows == 0 {
		if err := w.Add(pebble.InternalKey{UserKey: afterKey(bounds.start)}, nil, false); err != nil {
			return nil, fmt.Errorf("rewrite a table: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("rewrite a table: %w", err)
	}
	return file.Bytes(), nil
}

// A memoryFile takes a table.
type memoryFile struct{ bytes.Buffer }

// Write implements objstorage.Writable.
func (f *memoryFile) Write(p []byte) error {
	f.Buffer.Write(p)
	return nil
}

// Finish implements objstorage.Writable.
func (f *memoryFile) Finish() error { return nil }

// Abort implements objstorage.Writable.
func (f *memoryFile) Abort() {}

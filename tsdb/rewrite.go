package tsdb

import (
	"bytes"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
)

// rewrite makes a table of what can be found in one that Pebble cannot open: all data blocks
// up to the first that does not verify. It has the size of the old one, which Pebble has noted,
// and larger blocks, so that it does not need more.
func (m *frameMend) rewrite(t rawTable, bounds keySpan) error {
	m.what, m.dels = "the table", true
	end := uint64(len(t) - footerLen)
	all := t.blocksFrom(0, end)
	data, complete := all, false
	for i, h := range all {
		content := t.content(h)
		if !isColumns(content, 0, 4) {
			continue
		}
		if rows, ok := indexOf(content, all[:i]); ok {
			data, complete = all[:i], rows
			break
		}
	}
	var last []byte
	for drop := 0; ; drop++ { // what does not fit, if anything: the end
		if drop > len(data) {
			return fmt.Errorf("%w: %d bytes", errUnmendable, len(t))
		}
		file, err := t.rewritten(data[:len(data)-drop], bounds, &last)
		if err != nil {
			return err
		}
		if gap := len(t) - len(file); gap >= 0 {
			m.whole = append(file[:len(file)-footerLen:len(file)-footerLen], make([]byte, gap)...)
			m.whole = append(m.whole, file[len(file)-footerLen:]...)
			complete = complete && drop == 0
			break
		}
	}
	if !complete {
		m.lost = append(m.lost, keySpan{afterKey(last), bounds.end})
	}
	return nil
}

// indexOf reports whether content is an index, or a part of one, of data blocks, and whether
// these are all that were there: then it begins with the first of them.
func indexOf(content []byte, data []block.Handle) (complete, ok bool) {
	if n := int(content[3]) | int(content[4])<<8 | int(content[5])<<16 | int(content[6])<<24; n < 1 || n > len(data) {
		return false, false
	}
	rows, err := indexRows(content)
	return err == nil && len(rows) > 0 && rows[0].handle == data[0], err == nil
}

// rewritten returns a table of data blocks. One of none has a deletion of a key nobody writes.
func (t rawTable) rewritten(data []block.Handle, bounds keySpan, last *[]byte) ([]byte, error) {
	var file memoryFile
	w := sstable.NewRawWriter(&file, sstable.WriterOptions{
		TableFormat: sstable.TableFormatPebblev6, Comparer: pebble.DefaultComparer, MergerName: pebble.DefaultMerger.Name,
		BlockSize: 256 << 10, IndexBlockSize: 1 << 30, Compression: sstable.NoCompression,
	})
	rows := 0
	*last = bounds.start
	for _, h := range data {
		err := dataRows(t.content(h), func(k *pebble.InternalKey, value []byte) error {
			rows++
			*last = append((*last)[:0:0], k.UserKey...)
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

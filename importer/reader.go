package importer

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tidewire/tidewire/model"
)

// Options say how to read a file.
type Options struct {
	// TimeColumn holds the time. Empty means the first column called time, timestamp, ts,
	// date or datetime.
	TimeColumn string
	// Zone is where local times are read. Nil means UTC.
	Zone *time.Location
	// DeviceColumn names the device of each row. Empty means all rows are Device's.
	DeviceColumn string
	// Device is the device of all rows when no column names it.
	Device string
	// Columns maps columns to keys. Empty means every column that is neither the time nor
	// the device, under its own name.
	Columns map[string]string
	// Comma separates fields. Zero means a comma.
	Comma rune
}

// timeColumns are the names by which a time column is found, in order of preference.
var timeColumns = []string{"time", "timestamp", "ts", "date", "datetime"}

// A Row is one row of a file, as points of one device.
type Row struct {
	Line   int // counted from 1, the header included
	Device string
	TS     int64         // ms
	Values []model.Value // one per key of the Reader; TypeNone where the field is empty
}

// A RowError is a row that was left out.
type RowError struct {
	Line int
	Err  error
}

func (e *RowError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *RowError) Unwrap() error { return e.Err }

// A Reader reads the rows of one file. It is not safe for concurrent use.
type Reader struct {
	csv    *csv.Reader
	header []string
	zone   *time.Location
	device string

	timeAt, deviceAt int // fields; deviceAt is -1 when no column names the device
	keys             []string
	keyAt            []int
	row              Row
}

// NewReader reads the header and finds the columns. Its errors name the column or the
// flag that is wrong.
func NewReader(r io.Reader, o Options) (*Reader, error) {
	in := csv.NewReader(r)
	in.Comma = cmp.Or(o.Comma, ',')
	in.ReuseRecord = true
	head, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: its first line must name the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	header := slices.Clone(head)
	header[0] = strings.TrimPrefix(header[0], "\ufeff") // spreadsheets write a byte order mark
	rd := &Reader{csv: in, header: header, zone: cmp.Or(o.Zone, time.UTC), device: o.Device, deviceAt: -1}
	if err := rd.findTime(o.TimeColumn); err != nil {
		return nil, err
	}
	if o.DeviceColumn != "" {
		if rd.deviceAt = slices.Index(header, o.DeviceColumn); rd.deviceAt < 0 {
			return nil, rd.unknown("device column", o.DeviceColumn)
		}
	} else if o.Device == "" {
		return nil, errors.New("neither a device nor a device column was named")
	}
	if err := rd.findKeys(o.Columns); err != nil {
		return nil, err
	}
	rd.row.Values = make([]model.Value, len(rd.keys))
	return rd, nil
}

func (r *Reader) findTime(name string) error {
	if name != "" {
		if r.timeAt = slices.Index(r.header, name); r.timeAt < 0 {
			return r.unknown("time column", name)
		}
		return nil
	}
	for _, want := range timeColumns {
		if r.timeAt = slices.IndexFunc(r.header, func(h string) bool { return strings.EqualFold(h, want) }); r.timeAt >= 0 {
			return nil
		}
	}
	return fmt.Errorf("no column is called %s: name the time column", strings.Join(timeColumns, ", "))
}

func (r *Reader) findKeys(columns map[string]string) error {
	for name := range columns {
		if !slices.Contains(r.header, name) {
			return r.unknown("column", name)
		}
	}
	for i, name := range r.header {
		key := name
		if len(columns) > 0 {
			key = columns[name]
		} else if i == r.timeAt || i == r.deviceAt {
			continue
		}
		if strings.TrimSpace(key) == "" {
			if len(columns) == 0 {
				return fmt.Errorf("column %d has no name", i+1)
			}
			continue
		}
		if slices.Contains(r.keys, key) {
			return fmt.Errorf("two columns give the key %q", key)
		}
		r.keys, r.keyAt = append(r.keys, key), append(r.keyAt, i)
	}
	if len(r.keys) == 0 {
		return errors.New("the file has no column of values")
	}
	return nil
}

func (r *Reader) unknown(what, name string) error {
	return fmt.Errorf("%s %q is not among the columns %s", what, name, strings.Join(r.header, ", "))
}

// Keys returns the keys of the values of each row.
func (r *Reader) Keys() []string { return r.keys }

// Offset returns how many bytes of the file were read.
func (r *Reader) Offset() int64 { return r.csv.InputOffset() }

// Next returns the next row, valid until the call after it. The error is a *RowError for
// a row that must be left out, after which reading goes on, and io.EOF at the end.
func (r *Reader) Next() (*Row, error) {
	fields, err := r.csv.Read()
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return nil, &RowError{Line: parse.StartLine, Err: parse.Err}
	}
	if err != nil {
		return nil, err
	}
	r.row.Line, _ = r.csv.FieldPos(0)
	r.row.Device = r.device
	if r.deviceAt >= 0 {
		if r.row.Device = strings.TrimSpace(fields[r.deviceAt]); r.row.Device == "" {
			return nil, &RowError{Line: r.row.Line, Err: errors.New("it names no device")}
		}
	}
	if r.row.TS, err = parseTime(strings.TrimSpace(fields[r.timeAt]), r.zone); err != nil {
		return nil, &RowError{Line: r.row.Line, Err: err}
	}
	for i, at := range r.keyAt {
		r.row.Values[i] = parseValue(strings.TrimSpace(fields[at]))
	}
	return &r.row, nil
}

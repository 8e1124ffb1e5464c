package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/tidewire/tidewire/model"
)

// A Sink takes the rows of one device. Write returns nil only when the set is durable;
// the set is the caller's again when it returns.
type Sink interface {
	Write(ctx context.Context, device string, set *model.WriteSet) error
}

// A Job is one import.
type Job struct {
	// BatchRows is how many rows of the file are sent before they must all be
	// acknowledged. Zero means 1,000: a batch of ten columns is about 100 KiB of JSON.
	BatchRows int
	// SkipTo leaves out lines up to and including this one: an earlier run did them.
	SkipTo int
	// OnBad is told of every row that is left out; nil tells nobody.
	OnBad func(*RowError)
	// OnProgress is told after every acknowledged batch; its error ends the import. Nil
	// tells nobody.
	OnProgress func(Progress) error
}

// Progress is how far an import is. Everything it counts is acknowledged.
type Progress struct {
	Line   int   // the last line that is done
	Bytes  int64 // of the file
	Rows   int   // kept in this run
	Bad    int   // left out in this run
	Points int64
}

// Run reads all rows and writes them to sink. It returns how far it came, also with an
// error.
func Run(ctx context.Context, r *Reader, sink Sink, job Job) (Progress, error) {
	run := &runner{reader: r, sink: sink, job: job, devices: map[string]*batch{}}
	size := cmp.Or(job.BatchRows, 1000)
	for pending := 0; ; {
		row, err := r.Next()
		if bad, ok := errors.AsType[*RowError](err); ok {
			if run.read.Line = bad.Line; bad.Line > job.SkipTo {
				run.leaveOut(bad)
			}
			continue
		}
		if errors.Is(err, io.EOF) {
			err := run.flush(ctx)
			return run.done, err
		}
		if err != nil {
			return run.done, fmt.Errorf("read after line %d: %w", run.read.Line, err)
		}
		if run.read.Line = row.Line; row.Line <= job.SkipTo {
			continue
		}
		run.add(row)
		if pending++; pending == size {
			if err := run.flush(ctx); err != nil {
				return run.done, err
			}
			pending = 0
		}
	}
}

// A runner is the state of one Run.
type runner struct {
	reader  *Reader
	sink    Sink
	job     Job
	devices map[string]*batch
	order   []string // devices of the batch, as they came: a failing import fails the same way twice
	read    Progress // what was read
	done    Progress // what is acknowledged
	refused int      // rows the sink refused before it took any
}

// A batch is the rows of one device that wait, each with its line in the file.
type batch struct {
	set   model.WriteSet
	lines []int
}

// maxRefused rows refused and none taken are not bad rows: the import as a whole is wrong.
const maxRefused = 1000

func (r *runner) leaveOut(bad *RowError) {
	r.read.Bad++
	if r.job.OnBad != nil {
		r.job.OnBad(bad)
	}
}

func (r *runner) add(row *Row) {
	b := r.devices[row.Device]
	if b == nil {
		b = &batch{set: model.WriteSet{Scope: model.Timeseries, Keys: r.reader.Keys()}}
		r.devices[row.Device] = b
	}
	if len(b.lines) == 0 {
		r.order = append(r.order, row.Device)
	}
	before := len(b.set.Cells)
	for i, v := range row.Values {
		if !v.IsNone() {
			b.set.Cells = append(b.set.Cells, model.Cell{Key: i, Value: v})
		}
	}
	if n := len(b.set.Cells) - before; n > 0 {
		b.set.Rows = append(b.set.Rows, model.Row{TS: row.TS, Cells: n})
		b.lines = append(b.lines, row.Line)
		r.read.Points += int64(n)
	}
	r.read.Rows++
}

// flush writes the batch and reports progress.
func (r *runner) flush(ctx context.Context) error {
	for _, device := range r.order {
		b := r.devices[device]
		if len(b.lines) == 0 {
			continue
		}
		if err := r.write(ctx, device, &b.set, b.lines); err != nil {
			return fmt.Errorf("write device %q, after line %d: %w", device, r.done.Line, err)
		}
		b.set.Rows, b.set.Cells, b.lines = b.set.Rows[:0], b.set.Cells[:0], b.lines[:0]
	}
	r.order = r.order[:0]
	r.read.Bytes = r.reader.Offset()
	r.done = r.read
	if r.job.OnProgress != nil {
		return r.job.OnProgress(r.done)
	}
	return nil
}

// write writes rows of one device. Where the sink refuses them it looks for the row that is
// to blame: that one is left out, and the others are kept.
func (r *runner) write(ctx context.Context, device string, set *model.WriteSet, lines []int) error {
	err := r.sink.Write(ctx, device, set)
	switch {
	case err == nil:
		r.refused = -1
		return nil
	case !isRefusal(err):
		return err
	case len(lines) == 1:
		if r.refused >= 0 {
			if r.refused++; r.refused > maxRefused {
				return err
			}
		}
		r.read.Rows--
		r.read.Points -= int64(len(set.Cells))
		r.leaveOut(&RowError{Line: lines[0], Err: err})
		return nil
	}
	half, cells := len(lines)/2, 0
	for _, row := range set.Rows[:half] {
		cells += row.Cells
	}
	first, second := *set, *set
	first.Rows, first.Cells = set.Rows[:half], set.Cells[:cells]
	second.Rows, second.Cells = set.Rows[half:], set.Cells[cells:]
	if err := r.write(ctx, device, &first, lines[:half]); err != nil {
		return err
	}
	return r.write(ctx, device, &second, lines[half:])
}

// isRefusal reports whether the rows are to blame for err, and not the way to the sink.
func isRefusal(err error) bool {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.Status == http.StatusBadRequest || status.Status == http.StatusRequestEntityTooLarge
	}
	kind := model.KindOf(err)
	return kind == model.Invalid || kind == model.TooLarge
}

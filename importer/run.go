package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

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
	run := &runner{reader: r, sink: sink, job: job, devices: map[string]*model.WriteSet{}}
	size := cmp.Or(job.BatchRows, 1000)
	for pending := 0; ; {
		row, err := r.Next()
		if bad, ok := errors.AsType[*RowError](err); ok {
			if run.read.Line = bad.Line; bad.Line > job.SkipTo {
				run.read.Bad++
				if job.OnBad != nil {
					job.OnBad(bad)
				}
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
	devices map[string]*model.WriteSet
	order   []string // devices of the batch, as they came: a failing import fails the same way twice
	read    Progress // what was read
	done    Progress // what is acknowledged
}

func (r *runner) add(row *Row) {
	set := r.devices[row.Device]
	if set == nil {
		set = &model.WriteSet{Scope: model.Timeseries, Keys: r.reader.Keys()}
		r.devices[row.Device] = set
	}
	if len(set.Rows) == 0 {
		r.order = append(r.order, row.Device)
	}
	before := len(set.Cells)
	for i, v := range row.Values {
		if !v.IsNone() {
			set.Cells = append(set.Cells, model.Cell{Key: i, Value: v})
		}
	}
	if n := len(set.Cells) - before; n > 0 {
		set.Rows = append(set.Rows, model.Row{TS: row.TS, Cells: n})
		r.read.Points += int64(n)
	}
	r.read.Rows++
}

// flush writes the batch and reports progress.
func (r *runner) flush(ctx context.Context) error {
	for _, device := range r.order {
		set := r.devices[device]
		if len(set.Rows) == 0 {
			continue
		}
		if err := r.sink.Write(ctx, device, set); err != nil {
			return fmt.Errorf("write device %q, after line %d: %w", device, r.done.Line, err)
		}
		set.Rows, set.Cells = set.Rows[:0], set.Cells[:0]
	}
	r.order = r.order[:0]
	r.read.Bytes = r.reader.Offset()
	r.done = r.read
	if r.job.OnProgress != nil {
		return r.job.OnProgress(r.done)
	}
	return nil
}

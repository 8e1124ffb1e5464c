package tsdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/blocks"
)

const workloadStart = int64(1_700_000_000_000)

// textRows is rows of one key, "text", with long values.
func textRows(ts int64, n int, value string) *model.WriteSet {
	s := rows(ts, 1000, n, 1, "text")
	for i := range s.Cells {
		s.Cells[i].Value = model.String(fmt.Sprint(value, i))
	}
	return s
}

var (
	_ = workloads.add("first steps", func(w *workload) {
		for i := range 3 {
			w.append("in order", rows(workloadStart+int64(i)*30_000, 1000, 30, int64(i), "a", "b"))
		}
		w.append("new key", textRows(workloadStart, 20, strings.Repeat("x", 100)))
		w.flush()
		w.append("late", rows(workloadStart-50_000, 1000, 10, 7, "a"))
		w.append("correction", rows(workloadStart+5000, 1000, 40, 900, "b"))
		w.flush()
		w.delete("delete the newest", model.DeleteRange{Keys: []string{"b"}, From: workloadStart + 60_000, To: workloadStart + 200_000, RewriteLatest: true})
		w.reopen()
		w.append("in order", rows(workloadStart+90_000, 1000, 5, 4, "a", "b"))
	})
	_ = workloads.add("joins", func(w *workload) {
		w.append("of another", ofAnother())
		w.flush()
		for i := range 18 { // the sixteenth joins
			w.append("small", rows(workloadStart+100_000+int64(i)*10_000, 1000, 9, int64(i), "a", "b"))
			w.flush()
		}
		w.append("large", rows(workloadStart+400_000, 1000, 1100, 5, "a", "b"))
		w.flush()
		w.append("correction of sealed", rows(workloadStart+500_000, 500, 300, -5, "a"))
		w.delete("delete in sealed", model.DeleteRange{From: workloadStart + 600_000, To: workloadStart + 700_000})
		w.flush()
		w.append("of the next partition", rows(workloadStart+40*24*3600_000, 1000, 20, 3, "a", "b", "text"))
	})
	_ = workloads.add("erase", func(w *workload) {
		w.append("of another", ofAnother())
		w.append("in order", rows(workloadStart, 1000, 20, 4, "a", "b"))
		w.flush()
		w.acts = append(w.acts, act{
			name: "erase another",
			do: func(ctx context.Context, db *DB) error {
				_, err := db.DeleteEntity(ctx, aTenant, anotherDevice)
				return err
			},
			change: func(t *twin) { t.erase(aTenant, anotherDevice) },
		})
		w.append("in order", rows(workloadStart+20_000, 1000, 20, 4, "a", "other"))
		w.reopen()
		w.append("of another again", ofAnother())
		w.flush()
	})
	_ = workloads.add("pages", func(w *workload) {
		w.options = func(o *Options) {
			o.tuning.rules = blocks.Rules{JoinCount: 2, JoinRows: 8, MergeRows: 8, SealRows: 8, PageCount: 2}
		}
		for i := range int64(6) {
			w.append("in order", rows(workloadStart+i*20_000, 1000, 20, i, "a", "b"))
			w.flush()
		}
		w.append("late", rows(workloadStart+500, 2000, 30, 70, "a"))
		w.delete("delete in pages", model.DeleteRange{Keys: []string{"b"}, From: workloadStart + 30_000, To: workloadStart + 60_000})
		w.flush()
	})
)

func ofAnother() *model.WriteSet {
	return &model.WriteSet{
		Tenant: aTenant, Entity: anotherDevice, Scope: model.Server, Received: workloadStart, Keys: []string{"a", "other"},
		Rows: []model.Row{{Cells: 2}}, Cells: []model.Cell{{Key: 0, Value: model.Bool(true)}, {Key: 1, Value: model.JSON(`{"x":1}`)}},
	}
}

// A backup takes hold of the store's files while it goes on; wherever it ends, the store is
// what it was.
var _ = workloads.add("backup", func(w *workload) {
	backup := func(name string) {
		w.acts = append(w.acts, act{name: "back up", do: func(ctx context.Context, db *DB) error {
			_, err := db.Backup(ctx, name, nil)
			if model.KindOf(err) == model.Conflict { // it is there from the first time
				return nil
			}
			return err
		}})
	}
	w.append("in order", rows(workloadStart, 1000, 30, 1, "a", "b"))
	w.flush()
	w.append("in order", rows(workloadStart+30_000, 1000, 30, 2, "a", "b"))
	backup("first")
	w.append("correction", rows(workloadStart+5000, 1000, 10, 70, "a"))
	w.flush()
	backup("second")
	w.append("in order", rows(workloadStart+60_000, 1000, 5, 3, "a", "text"))
})

package tsdb

import (
	"math"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// ceiling lets everything go that the ceiling of the disk may take at an instant.
var _ = operations.add(operation{"ceiling", 1, func(h *harness) {
	h.Helper()
	now := h.script.now - h.rng.Int64N(120)*dayMillis
	h.note("the ceiling of the disk at %d", now)
	h.flush()
	if err := h.db.flusher.keepBelow(h.Context(), 1, math.MaxInt64/2, time.UnixMilli(now)); err != nil {
		h.Fatalf("ceiling: %v", err)
	}
	h.twin.ceiling(now)
	h.compareHistory(h.script.scope(), h.script.key())
}})

// ceiling drops timeseries of the partitions before that of an instant.
func (w *twin) ceiling(now int64) {
	first := rowgroup.PartitionOf(now) * rowgroup.PartitionMillis
	for k, s := range w.series {
		if k.scope != model.Timeseries {
			continue
		}
		for ts := range s.points {
			if ts < first {
				delete(s.points, ts)
			}
		}
		for ts := range s.revisions {
			if ts < first {
				delete(s.revisions, ts)
			}
		}
	}
}

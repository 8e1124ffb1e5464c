//go:build kill

package tsdb

import (
	"time"

	"github.com/tidewire/tidewire/tsdb/internal/blocks"
)

// Rehearsed returns o with bounds so small that everything rare happens within a second.
func Rehearsed(o Options) Options {
	o.HeadBytes = 512 << 10
	o.CatalogBytes = 64 << 10
	o.LogBytes = 1
	o.LogAge = time.Millisecond
	o.Rewrites = -1
	o.memTable = 256 << 10
	o.tuning = tuning{rules: blocks.Rules{JoinCount: 4, JoinRows: 64, MergeRows: 64, SealRows: 128, PageCount: 4}, tombs: 8, log: 256 << 10}
	return o
}

package tsdb

import "github.com/tidewire/tidewire/tsdb/internal/blocks"

// optionSets are settings under which the same history must give the same answers. What is
// rare in production is common under one of them.
var optionSets = map[string]Options{
	"defaults":                {},
	"small head":              {HeadBytes: 64 << 10},
	"no memory":               {CatalogBytes: 1, CacheBytes: 1 << 10, LogBytes: 1, LogAge: -1},
	"tiny of all":             {HeadBytes: 64 << 10, CatalogBytes: 1, LogBytes: 1, LogAge: -1, memTable: 32 << 10},
	"small memtable":          {memTable: 32 << 10, CacheBytes: 1 << 10},
	"small head and memtable": {HeadBytes: 64 << 10, memTable: 32 << 10},
	"early joins":             {tuning: tuning{rules: blocks.Rules{JoinCount: 3, JoinRows: 40, MergeRows: 20, SealRows: 100, PageCount: 3}}},
	"late joins":              {tuning: tuning{rules: blocks.Rules{JoinCount: 60, JoinRows: 4000, MergeRows: 1, PageCount: 2}}},
	"row groups of four rows": {tuning: tuning{rules: blocks.Rules{JoinCount: 2, JoinRows: 4, MergeRows: 4, SealRows: 4, PageCount: 4}}},
	"pages of one row group":  {HeadBytes: 64 << 10, tuning: tuning{rules: blocks.Rules{JoinCount: 4, JoinRows: 64, MergeRows: 256, SealRows: 128, PageCount: 1}}},
	"a flush at every delete": {tuning: tuning{tombs: 1}},
	"a flush at little log":   {LogBytes: 1, LogAge: -1, tuning: tuning{log: 8 << 10}},
	"hide all":                {Rewrites: -1, manual: true},
	"hide most":               {Rewrites: 1, HeadBytes: 64 << 10, CatalogBytes: 1, tuning: tuning{rules: blocks.Rules{JoinCount: 2, JoinRows: 4, MergeRows: 4, SealRows: 4, PageCount: 4}}},
	"hide small":              {Rewrites: 2, manual: true, tuning: tuning{rules: blocks.Rules{JoinCount: 3, JoinRows: 40, MergeRows: 20, SealRows: 30, PageCount: 3}}},
	"a set a commit group":    {LogBytes: 16 << 10, LogAge: -1, tuning: tuning{commitGroup: 2}},
	"little may wait":         {PendingBytes: 1 << 20, Limits: Limits{SetBytes: 1 << 20, Keys: 64, Points: 20_000, KeyBytes: 16, TextBytes: 64}},
	"small of all, early of all": {
		HeadBytes: 64 << 10, CatalogBytes: 1, CacheBytes: 1, LogBytes: 1, LogAge: -1, memTable: 16 << 10,
		tuning: tuning{rules: blocks.Rules{JoinCount: 2, JoinRows: 16, MergeRows: 8, SealRows: 32, PageCount: 2}, tombs: 2, log: 4 << 10, commitGroup: 256},
	},
}

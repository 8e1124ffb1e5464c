package tsdb

import "github.com/tidewire/tidewire/model"

// A Report counts what Check has verified.
type Report struct {
	Groups            int64
	Columns           int64
	RowGroups         int64
	UnsealedRowGroups int64 // those still waiting to be joined
	MaxUnsealed       int64 // the most of any one group
	Steps             int64
	Pages             int64
	Points            int64
	Hidden            int64 // deleted points that still stand in row groups
	Tombs             int64 // which hide them
	Bytes             int64 // of row groups and pages
	Revisions         int64
	RevisionBytes     int64        // of their keys and values
	Losses            []model.Loss // what repairs could not bring back
}

// Stats are counters since Open, and gauges.
type Stats struct {
	Position model.Position // of the last visible entry
	Flushed  model.Position // everything up to it is in row groups

	Sets    int64 // appended
	Points  int64 // appended
	Syncs   int64 // commit groups
	Flushes int64

	HeadBytes    int64 // memory of rows not yet in row groups
	LogBytes     int64 // of the log behind the flush position
	LogKept      int64 // of the log that can be followed
	Entities     int64 // records in memory
	CatalogBytes int64 // memory of these records
	ColumnsBytes int64 // memory of latest columns
	DiskBytes    int64 // of the store, the log of Pebble included

	FreeBytes int64 // of the disk; zero when the file system does not tell
	NoSpace   bool  // below Options.MinFree: sets are refused
	Failures  int64 // of background work
	// AboveCeiling: the store takes more than Options.MaxDiskBytes, and only the present partition is left.
	AboveCeiling bool
	Losses       int64            // what Losses lists
	Series       int64            // keys of all entities
	Near         map[string]int64 // how often Events.Near told of a limit, by its name
	Consumers    []ConsumerStats  // by name
}

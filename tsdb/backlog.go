package tsdb

// maxBacklog is how many memtables' worth may wait in memory to be written as tables.
const maxBacklog = 4

// What waits in Pebble's memory has a bound of ours. Pebble's own would hold up the commit
// that meets it, with our locks held, and for ever while the disk takes no tables: neither
// Append nor Close could give up. So that one is out of reach, and writers wait at the gate,
// where their context ends.

// lookBehind looks whether too much waits to be written as tables. It costs microseconds and
// is done once a mark of the log, and when Pebble has written a table. The lock of commits is
// held.
func (db *DB) lookBehind() {
	db.commit.behind = int64(db.store.Metrics().MemTable.Size) >= db.options.backlog()
}

// backlog returns the bound of what waits, bytes.
func (o *Options) backlog() int64 { return maxBacklog * int64(o.memTable) }

// relieve lets writers in again when what made them wait has been written.
func (db *DB) relieve() {
	db.commit.Lock()
	defer db.commit.Unlock()
	if db.commit.behind {
		db.lookBehind()
		db.checkHead()
	}
}

// Package tsdb is an embedded columnar store for typed time series. A DB is one directory.
//
// A write set, the change of one entity, is appended to the log and lands in the head:
// recent rows in memory, by group. A group is the keys of an entity that first arrived in
// one set; they share timestamps. A flush writes the head as row groups, small tables with
// exact summaries, and moves the flush position in the same atomic batch; only then may
// the log behind it go.
//
//	Append ─► committer ─► log ─► head ─► flush ─► row groups, pages, latest, catalog
//	 encode    one batch,   │      └──────────────────────┴─► Raw, Aggregate
//	 in the    one sync     ├─► Changes, as they become visible
//	 caller                 └─► Follow, Consumer: again, from any position still kept
//
// Everything lies in one Pebble store, told apart by the first byte of the key; the
// keyspaces are drawn in docs/format. What is not the log is exactly the state at the flush
// position, so recovery is: load nothing, replay the log behind the flush position.
//
// # Promises
//
//   - A set whose Append returned nil survives a power cut and is visible to the next query.
//
//   - A set is applied whole or not at all; applying is a pure function of the log entry and
//     the state, so a replay arrives at the same bytes.
//
//   - Two points of one series at one instant: the later Append wins, value and type.
//
//   - A point whose write brought a time to live is kept as long, and gone an hour after.
//
//   - Latest is a state of its own: a point with an equal or greater timestamp replaces it,
//     a late one never does, and a delete keeps, drops or rewrites it as asked.
//
//   - Where a write asks for it, every value an instant ever had can be read: see Revisions.
//
//   - Latest, Raw, Aggregate and Revisions answer for one exact position: every set of the entity up to
//     it, whole, and none behind it. A subscription continues from there.
//
//   - A query ends with an error when it meets its budget: of points, bytes, or time.
//
//   - Append waits for no reader. When the head is full and the flush is behind it waits as
//     long as its context, then fails with [model.Overload].
//
//   - A delete is visible at once. What would rewrite much is hidden first and reclaimed in the
//     background; a removed entity or tenant does not come back by a replay.
//
//   - Retention takes what is too old, whole partitions unread; the newest value outlives it.
//
//   - Damage on disk is told with its address, and queries step over it. What a flush, a
//     compaction or a query outside of row groups meets is mended, and the loss recorded; the
//     rest waits for Repair.
//
// # Invariants (Check verifies them)
//
//   - Row groups of a group are sorted and never overlap; a column may mix types.
//   - A summary equals what decoding what it summarizes would give; a page repeats the
//     summaries of its row groups.
//   - Revisions belong to a column there is; what has a time to live is known to its group.
//   - The catalog and its reverse agree; a latest nobody deleted is the newest point.
//   - After a clean Close a group has at most one unsealed row group.
//
// A DB is safe for concurrent use. Devices, users, JSON and HTTP belong to the callers.
package tsdb

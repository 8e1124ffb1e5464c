// Package head keeps recent rows in memory, by group, and the latest value of every series.
//
//	Record (entity, scope) ── Group ─┬─ Active   rows behind the next flush position
//	                                 ├─ Frozen   rows a flush is writing
//	                                 └─ latest   of each column
//
// Rows of a group arrive mostly in order and are then appended to one table; those that do
// not (late points, corrections) go to a second one. Nothing that was appended is written
// again, so a reader copies slice headers under the record's lock and needs it no more.
// A delete hides the rows that are there, by number, and what lies below.
//
// # Freezing
//
// The engine counts generations of the head; a freeze only moves the counter. A record
// notices when it is touched next, by an apply or by the flush, and then puts its active
// rows aside together with the latest values of that moment ([Record.Roll]). Freezing a
// hundred thousand groups thus stops nobody.
//
// # Locking
//
// A Record is guarded by its own lock. The committer alone changes what is active; the
// flusher alone takes what is frozen. No I/O happens under the lock, except that a read
// takes its snapshot of the store there: so it sees heads and row groups of one position.
package head

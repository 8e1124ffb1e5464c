// Package revision decides which values of an instant are kept beside its point, and writes
// them. It knows no store and no head: both tell a [Fold] what happened, in order.
//
//	stored rows ─► Add ┐
//	unflagged   ─► Write ├─► Fold ─► Fresh: rows to store, or to show
//	flagged     ─► Keep ┘      └──► Current, End: the value there is now
//
// The rule, for one column and one instant:
//
//   - A write that keeps originals first saves the value it finds, if it is not the last good
//     one saved: it came by a write that did not ask. When it arrived is not known any more.
//   - Then it saves its own value with time of arrival and quality, unless the last one saved
//     has the same value and quality: sending again adds nothing.
//   - A bad value is saved and is no point: the good one before it stays.
//   - A delete takes everything; what is written after it begins anew.
//
// # Promises
//
//   - A row is told by the position of its set in the log. So it is the same row whenever a
//     flush makes it, and writing it twice changes nothing.
//   - Folding a history in pieces, each beginning with the rows and the point the one before
//     left, gives the rows of folding it at once: only the last row and the last good one
//     matter, and a bad row says where the good one is.
//   - A row that cannot be read is [ErrCorrupt], never a panic.
//
// docs/format/revisions.md draws the row.
package revision

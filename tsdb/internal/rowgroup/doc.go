// Package rowgroup writes and reads row groups, the small immutable tables telemetry is
// stored in, and pages, the summaries of many of them.
//
// A row group is rows (instants) by columns (the keys of a group), at most [MaxRows] and
// about [MaxBytes], within one partition of time. Rows are cut into steps of [StepRows]:
// whatever is asked of a row group, whole steps are answered by their summaries and only
// the cut ones are decoded.
//
// Append and the readers share no state; a Reader or PageReader belongs to one goroutine.
// Where row groups lie, and which of them overlap a span, belongs to the engine.
package rowgroup

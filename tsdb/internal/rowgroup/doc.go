// Package rowgroup writes and reads row groups, the small immutable tables telemetry is
// stored in, and pages, the summaries of many of them.
//
// A row group is rows (instants) by columns (the keys of a group), at most [MaxRows] and
// about [MaxBytes], within one partition of time. Rows are cut into steps of [StepRows]:
// whatever is asked of a row group, whole steps are answered by their summaries and only
// the cut ones are decoded.
//
//	row group   version <1> | rows <2> | columns <1> | first ts <8> | last ts <8> | directory | timestamps | columns... | crc32c <4>
//	column      presence | type rule <1> | scale <1> | step heads | packed steps of 128
//	page        version <1> | row groups <1> | columns <1> | first, span, rows | directory | columns... | crc32c <4>
//
// docs/format/rowgroup.md and page.md draw every field and show golden bytes. Reading goes
// the other way than writing:
//
//	Append   table ─► gather ─► regular: scale, pack ┐
//	                         └► mixed: code by code  ┴─► directory ─► checksum
//	Reader   checksum ─► directory ─► heads of a column, once asked ─► step, once cut
//
// # Promises
//
//   - Values come back with the type and the bits they were written with.
//   - What Aggregate adds equals what adding every decoded cell gives: counts, bounds,
//     first, last, sums of ints and decimals exactly, other sums to 10⁻¹².
//   - A flipped bit, a cut, or a wrong key is [ErrCorrupt]. Bytes forged with a checksum
//     that holds give errors or wrong values, never a panic.
//   - Append into memory that is there and a Reader used again allocate nothing, texts
//     apart.
//
// Append and Fit may be called concurrently; a Reader or PageReader belongs to one
// goroutine. Where row groups lie, and which of them overlap a span, belongs to the engine.
package rowgroup

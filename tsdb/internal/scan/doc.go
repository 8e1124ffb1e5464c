// Package scan answers raw and aggregate queries over the groups of a store, about which it
// knows nothing but the [Source] it is handed.
//
//	page ─► row group ─► step ─► rows       a whole one in a bucket: merge its summary
//	                              │          a cut one: go one level down
//	heads ─► rows in memory ──────┴─► merge ─► points, or buckets
//
// A scan walks time once for all columns of a group. It owns no store, no lock and no cache.
//
// # Promises
//
//   - Where a head has rows inside the span of a row group, the result is as if they had
//     been written into it; only the steps they fall into are decoded.
//   - SUM and AVG of ints and decimals do not depend on how the data were cut.
//   - Memory is bounded by a row group and a page for each goroutine, a page of points or the
//     buckets of the answer; a context that ends stops the scan at the next row group.
//   - Damage is stepped over: everything else is yielded, then a [DamageError] tells where
//     something may be missing. A damaged page costs only time.
//   - A descending read walks backwards and stops when its limits are met.
//
// A small query stays on its caller's goroutine. An aggregate over many row groups is shared
// by up to four, which have ended when Aggregate returns.
//
// A [Tally] adds up the series of several aggregates, exactly, for it merges summaries.
//
// Raw, Aggregate and Tally may be called concurrently. Which keys exist, who may read them, and how
// many points or buckets an answer may have belong to the callers.
package scan

// Package codec turns short runs of values into few bytes and back: bit-packed integers,
// decimals, raw floats, run-length bitmaps, texts. It knows no rows and no columns; a row
// group is put together from its pieces.
//
// # Promises
//
//   - What was encoded comes back bit for bit: the whole int64 range, −0.0, subnormals.
//   - A decoder takes bytes nobody vouches for. It returns [ErrCorrupt] or wrong values,
//     never panics, and allocates no more than its caller allowed.
//
// VictoriaMetrics' lib is met here and nowhere else: importing it registers flags on the
// global FlagSet, and some of its functions panic on misuse, so its inputs are checked here.
//
// Functions are pure and safe for concurrent use; types with methods are not.
package codec

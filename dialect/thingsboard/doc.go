// Package thingsboard turns the bytes of ThingsBoard clients into the vocabulary of model,
// and answers of the store back into the bytes those clients expect.
//
//	body ──► Parser ──► model.WriteSet            (payload grammar, contract section 4)
//	query parameters ──► model.RangeQuery         (8.3, 8.6)
//	snapshots, points, buckets ──► answer bodies  (5, 8.1 to 8.3)
//
// A [Parser] reads the strict JSON that devices send in one pass, straight into a reused
// write set. Whatever that pass does not know (single quotes, unquoted names, escaped keys,
// members in unusual order, every error) is read again by a full lenient parser, so that
// there is one place where errors are worded. A fuzz test holds the two together.
//
// # Promises
//
//   - No function panics, reads a clock, or touches a file, a socket or a global. The one
//     exception are time zones, which the standard library loads by name.
//   - Numbers are correctly rounded; an integer or a decimal that no number type holds
//     exactly enough becomes a string of its plain digits (4.2).
//   - A failure of the client is a *model.Error of kind Invalid whose message is the
//     contract's text. Those that clients expect as a JSON error body wrap [ErrParameter].
//   - The text of parsed keys and values may alias the body: keep the body as long as the
//     set. Append functions copy.
//
// A Parser and a History are not safe for concurrent use; plain functions are.
package thingsboard

// Package ingest is the one write path: every door hands its write sets to a [Pipeline].
//
//	door ──► Pipeline.Write ──► limits ──► Store.Append (durable and visible) ──► activity
//
// The pipeline fills in whose change it is and when it arrived, refuses sets that are too
// large before they reach the log, and notes that the device lives.
//
// # Activity
//
// Whether a device is active is kept in memory and answered from there. It is written as
// attributes of scope Server through the same store: at each change of active, and otherwise
// at most once a minute a device. A device that nobody has heard is inactive, and said to be, when
// its timeout has passed since it was made. What somebody else writes to active counts like a
// message or a timeout, until the next one. Writing costs an atomic store; nothing waits for another
// device. One goroutine visits each active device about once a minute through buckets of one
// second, so a million devices are a million visits a minute and not a million timers.
//
// # Promises
//
//   - A set is appended whole or not at all; nil means it is durable and visible.
//   - A refused set was not written: the error names the limit.
//   - A device is inactive within two seconds after its timeout passed, also when it was last
//     heard before the process started.
//   - After Close nothing is written.
//
// A Pipeline is safe for concurrent use. Who may write is decided before it, by auth.
package ingest

// Package canary plants bugs. A proof that never failed proves nothing, so a test binary built
// with the tag canary has the bug that TIDEWIRE_CANARY names, and scripts/canary demands that
// the proofs find it. Built without the tag, Planted is false and costs nothing.
package canary

// A Bug is one that can be planted.
type Bug string

// The bugs, each with what it does.
const (
	SkipSync      Bug = "sync"     // a commit group is acknowledged before it is on disk
	StaleSummary  Bug = "summary"  // a page keeps the summaries of row groups that were rewritten
	HeadTwice     Bug = "head"     // a read counts rows that a flush has written twice
	HeadMissed    Bug = "missed"   // a read leaves out rows that a flush is about to write
	EarlyPosition Bug = "position" // the flush position is moved before the rows are written
	KeepLatest    Bug = "latest"   // a delete leaves the latest value
	HalfSet       Bug = "half"     // a set that spans groups is applied in part
	NoChecksum    Bug = "checksum" // the checksum of a row group is not looked at
	Revive        Bug = "revive"   // what was deleted in row groups comes back with a flush
)

package tsdb

// A Moment is a point in the engine's work at which a sceptic would cut the power. Tests
// stop the process there, let another goroutine run, or look at the disk.
type Moment string

// The moments, in the order in which a point meets them.
const (
	AtAppend         Moment = "append"          // a commit group is built, nothing is written
	AtSync           Moment = "sync"            // it is durable, nobody sees it
	AtApply          Moment = "apply"           // it is visible, nobody was told
	AtFreeze         Moment = "freeze"          // a head is frozen
	AtFlushBatch     Moment = "flush batch"     // the batch of a flush is complete, nothing is written
	AtFlushCommitted Moment = "flush committed" // it is written, the frozen head is still there
	AtJoin           Moment = "join"            // small row groups were joined in the batch of a flush
	AtSeal           Moment = "seal"            // a row group was sealed in it
	AtPage           Moment = "page"            // a page was written into it
	AtLogCut         Moment = "log cut"         // the beginning of the log is about to go
	AtDelete         Moment = "delete"          // a delete is durable, nobody sees it
	AtErase          Moment = "erase"           // likewise the removal of an entity
	AtReclaim        Moment = "reclaim"         // what a stored delete hides is about to go
	AtPartitionDrop  Moment = "partition drop"  // a whole partition is about to go
	AtRevisions      Moment = "revisions"       // replaced values are in the batch of a flush
	AtCursor         Moment = "cursor"          // the cursor of a follower is about to be written
	AtBackupBegin    Moment = "backup begin"    // a backup has begun, nothing is copied
	AtBackupCopied   Moment = "backup copied"   // the store is copied, its manifest is not written
	AtBackupManifest Moment = "backup manifest" // the manifest is written, the backup is not in place
	AtClose          Moment = "close"           // Close has turned callers away, nothing is flushed
	AtRecovery       Moment = "recovery"        // a commit group is about to be replayed
)

// Moments lists all of them.
var Moments = [...]Moment{
	AtAppend, AtSync, AtApply, AtFreeze, AtFlushBatch, AtFlushCommitted, AtJoin, AtSeal, AtPage, AtLogCut, AtDelete, AtErase,
	AtReclaim, AtPartitionDrop, AtRevisions, AtCursor, AtBackupBegin, AtBackupCopied, AtBackupManifest, AtClose, AtRecovery,
}

// Passing tells Events.Passing of a moment that lies outside of the engine.
func (db *DB) Passing(m Moment) { db.at(m) }

// at tells Events.Passing that m is passed.
func (db *DB) at(m Moment) {
	if passing := db.options.Events.Passing; passing != nil {
		passing(m)
	}
}

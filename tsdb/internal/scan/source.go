package scan

import "github.com/tidewire/tidewire/tsdb/internal/column"

// A Source is everything one read sees of one group. The engine makes one for each group a
// query touches, in this order: it copies the heads under the group's lock, takes the
// store's snapshot, and then leaves out the heads which that snapshot already covers. From
// then on a Source never changes, so a read sees each point once.
//
// A Source must be comparable (a pointer, say): columns whose Sources are equal are read in
// one pass. It must outlive the call it was given to.
//
// # What wins
//
// The cell of an instant and column is that of the newest head that has one, else that of
// the older head, else that of the row group; a cell a [Tombstone] hides is not there. A
// head's null is a cell like any other: it replaces what lies under it, and is then skipped.
type Source interface {
	// Heads returns the rows in memory that the snapshot does not cover, older ones first;
	// as a rule none, one (active) or two (frozen, active). It is called once or more and
	// always returns the same heads. Scans may run on several goroutines and only read.
	Heads() []Head

	// Deleted returns what is hidden in row groups, in any order, overlapping or not.
	// Nothing is hidden in heads by it: they bring their own.
	//
	// So a row that was written after the delete must not be put into a row group while the
	// tombstone covers it: the flush that writes it cuts the tombstone around it in the same
	// batch, having removed from the row groups it rewrites what the tombstone hid.
	Deleted() []Tombstone

	// Cursor returns a new cursor over the row groups or over the pages of the group. It may
	// be called from several goroutines; each, and there are four at most, has one cursor of
	// either kind open at a time. Pages are only asked for once a read has proved to be long.
	Cursor(Space) (Cursor, error)
}

// A Space is what a cursor walks.
type Space uint8

// The spaces.
const (
	// RowGroups are the 'b' space: the group's row groups, sealed or not, by the instant of
	// their first row. No two overlap, whatever their partition.
	RowGroups Space = iota

	// Pages are the 'p' space: the group's pages, by the instant of the first row of the
	// first row group they list.
	//
	// Within a partition pages cover a prefix of its row groups: every row group that starts
	// at or before the last row of the partition's last page is listed, exactly as it is
	// stored, by exactly one page. So a scan looks for row groups of their own only behind
	// the last page of a partition. Who rewrites, adds or removes a row group in that
	// prefix rewrites its page in the same batch (pages may list fewer than
	// rowgroup.PageRowGroups), or else drops that page and the partition's later ones.
	Pages
)

// A Cursor walks the row groups or the pages of one group, each told by the instant of its
// first row, as in its rowgroup.Key. It belongs to one goroutine.
//
// There is no Next: what follows first is SeekGE(first+1), what stands before it is
// SeekLE(first-1). A scan mostly asks for just that, so an implementation over an iterator
// does well to notice it and to step.
type Cursor interface {
	// SeekGE returns the first item that starts at or after ts. A nil b means there is none.
	// b is the value as stored, unverified; it is the cursor's again at the next call.
	SeekGE(ts int64) (first int64, b []byte, err error)

	// SeekLE returns the last item that starts at or before ts, likewise.
	SeekLE(ts int64) (first int64, b []byte, err error)

	// Close releases the cursor. It is called exactly once.
	Close() error

	// Both may fail with a *Gap: the read goes on beyond it, and says that it did.
}

// A Head is a view of rows in memory, taken under the lock of their group: the lengths were
// copied there, so rows appended later are not seen, and nothing within these lengths is
// written any more. Text is read as far as the cells refer into it.
type Head struct {
	// Times are the instants of the rows as they arrived.
	Times []int64
	// Order lists the row numbers by instant and, within one instant, by row number, which
	// is by arrival: of two rows of one instant the later one's cells win. Nil means the
	// rows stand in strictly ascending order as they are.
	Order []int32
	// Columns has a column a key, by the catalog's number. It may be shorter than the group
	// is wide, and a column may be shorter than Times: what is missing is of TypeNone. A
	// column nobody asks for may be left empty.
	Columns []column.Column
	// Deleted is what was deleted while these rows were in memory.
	Deleted []HeadTombstone
}

// A Tombstone hides the cells of one column with From <= ts < To.
type Tombstone struct {
	Column   int
	From, To int64 // ms
}

// A HeadTombstone hides cells of the rows that were there when the delete was applied.
type HeadTombstone struct {
	Tombstone
	// Rows is the number of rows the head had then: rows with a number (an index into
	// Times) below it are hidden, those that arrived later are not.
	Rows int
}

// A Series is one column of a group: where the points of a key are.
type Series struct {
	Source Source // nil: the key was never written
	Group  uint64 // as in the keys of the row groups
	Column int    // the catalog's number of the key in its group
}

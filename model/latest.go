package model

// A LatestView is the latest values of some series of all entities of a tenant, all of one
// position, in memory: what queries over entities filter, sort and show. Columns are told by
// their place in the keys asked for, rows are entities that have or had a value; their order
// means nothing. It never changes and may be used by any number of goroutines.
type LatestView interface {
	// Position is up to where every change of the tenant is in the view; none behind it is.
	Position() Position
	// Len is the number of rows.
	Len() int
	Entity(row int32) EntityID
	// Rows sets of each of entities its row, -1 where it has none. It takes less than looking for
	// one after the other.
	Rows(entities []*Entity, rows []int32)
	// Point returns the latest of a column, of TypeNone where there is none.
	Point(column int, row int32) Point

	// Filter returns those of rows, or of all when rows is nil, of which keep is true.
	Filter(rows []int32, column int, keep func(Point) bool) []int32
	// SortNumbers and SortTexts sort rows by what a column has of numbers, or of strings byte
	// by byte. Rows without one stand last either way; equal ones keep their order.
	SortNumbers(rows []int32, column int, descending bool)
	SortTexts(rows []int32, column int, descending bool)
}

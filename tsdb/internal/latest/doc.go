// Package latest keeps the latest values of all entities of a tenant in memory, a column a key,
// for queries over entities: filter, sort and page a hundred thousand of them in milliseconds.
//
//	Table (tenant) ── rows     entity ↔ number, for as long as the table lives
//	               └─ columns  (scope, key): type, instant, value of each row, in chunks
//
// Who applies entries puts the values they changed, in order. A [View] is all columns asked for
// at one position: it shares their chunks, and what is put afterwards goes to copies of those
// it touches. So a view costs its reader no lock and a writer at most one copied chunk for each
// of the chunks it changes.
//
// # Building
//
// A column begins empty ([Table.Register]); from then on everything that is applied is put into
// it. Meanwhile its owner loads what was there before ([Table.Load]), from wherever, in any
// order: each value comes with the position it is known to be right at, and of two the later
// one counts. [Table.Finish] ends that, and only then can the column be viewed.
//
// A Table is safe for concurrent use. Its lock is a leaf and is held for a few rows at a time.
package latest

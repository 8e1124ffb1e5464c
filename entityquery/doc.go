// Package entityquery answers queries over entities: which ones pass a filter and
// conditions on their fields, attributes and telemetry, in which order, one page of them
// with what a client wants to see (contract thingsboard 10).
//
//	filter ─► candidates ─► rights ─► conditions, search ─► sort, page ─► fields, latest
//	directory, relations              directory, latest columns          records, engine
//
// Everything but what is shown of one page comes from memory: the directory of entities and
// the engine's latest columns. SQL is asked for the fields of a page that the directory does
// not keep, and when a condition or the order needs one of them.
//
// # Promises
//
//   - An answer holds entities of the asker's tenant only, and of a customer's user only
//     what the customer may see.
//   - An entity without a value never meets a condition about it, not even "is not".
//   - Ties of the order are broken by id, so pages of an unchanged set do not overlap.
//
// A Finder is safe for concurrent use. Wire forms belong to the dialects.
package entityquery

// Package importer reads telemetry from CSV files.
//
//	file ─► Reader (rows, bad rows with their line) ─► Run (batches a device) ─► Sink
//
// The first line names the columns. One column holds the time, one may name the device,
// every other one is a key. A row that cannot be understood is reported with its line
// number and left out; the rows around it are kept. A local time is read in the zone
// given: one that does not exist there (the hour a clock jumps over) is a bad row, one
// that exists twice is its first instant.
//
// Run remembers in a state file how far everything is acknowledged, so an import that was
// interrupted goes on from there. Writing a row twice changes nothing, because a point is
// identified by its series and its time.
//
// A Sink is where rows go: Remote writes to a running server over its REST interface.
package importer

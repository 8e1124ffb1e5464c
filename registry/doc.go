// Package registry knows what exists: tenants, customers, users, device profiles, devices,
// their credentials, dashboards, login sessions. It keeps them in SQL and, of every entity,
// a few fields in memory, so that the way of a write never asks SQL.
//
//	Save, Delete ─► SQL transaction ─► directory (memory) ─► Entity, DeviceByToken, Entities
//	                     └─► outbox ─► worker ─► Eraser (the engine)
//
// # Promises
//
//   - A change that returned nil is on disk and in the directory; the directory never shows
//     a change that is not on disk.
//   - Everything is looked up inside a tenant: a foreign id is not found.
//   - A deleted entity is gone from SQL and directory at once. What the engine holds of it is
//     named by an outbox row of the same transaction and erased by a worker, after a crash
//     too, as often as it takes.
//   - A device credential is found by a keyed hash and kept as a ciphertext; neither key is
//     in the database.
//
// A Registry is safe for concurrent use. One transaction writes at a time; readers do not
// wait for it. Pointers the directory returns are shared and must not be changed.
//
// The SQL is portable: text ids, no dialect functions, numbered parameters. Clock and
// randomness are passed in. Passwords, tokens and rights are auth's; wire forms are the
// dialects'.
package registry

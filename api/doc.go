// Package api is the HTTP door: REST for users, the device API, and the mounts of the live
// sockets, the web app and the operator's endpoints.
//
//	request ─► around ──────────► generated wrapper ─► handler ─► one call down ─► answer
//	           address, limits,   parameters            authorize
//	           gunzip, who asks
//	error ───────────────────────────────────────────► fail: one table Kind → status
//
// Routes, parameter types and entity types are generated from openapi.yaml. A handler
// decodes, asks [auth.Guard] whether the caller may, makes one call down, encodes; it knows
// no status codes. Failures are *model.Error values that one function words.
//
// # Bodies
//
// Telemetry and attributes reach handlers as raw bytes whatever their Content-Type. Entities
// are decoded as JSON: unknown members are ignored, anything behind the object is refused.
// What a client must not choose (tenant, creation time) is not in the decoded types at all.
// Latest, history and attributes are written by dialect/thingsboard into a reused buffer;
// long histories leave in chunks while they are read.
//
// # Promises
//
//   - An entity of another tenant is 404 on every route, one of another customer 403.
//   - An answer that broke off while being sent ends the connection: a client never takes
//     half a history for a whole one.
//   - Tokens are never logged.
//
// A [Server] is safe for concurrent use and starts goroutines only in [Server.Serve]. What
// things mean belongs to the packages below; what they look like on the wire, to
// dialect/thingsboard and openapi.yaml.
package api

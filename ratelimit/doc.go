// Package ratelimit counts what tenants, customers, users and devices do over time, and says no
// when it is more than the tenant's profile allows (contract thingsboard 2.5, 17).
//
//	REST request ──► user ──► customer ──► tenant
//	device message ────────► device ────► tenant     messages, then points
//	socket ────────► commands in, updates out        a Bucket of its own session
//
// A limit has one or more windows, "10:1,100:60". Each is a bucket that holds as many as its
// count and is refilled evenly over its seconds; what is asked for is taken from all of them or
// from none. The narrowest limit is asked first, and what a wider one refuses is given back: a
// device that meets its own limit takes nothing from its tenant.
//
// # Cost
//
// A tenant without limits costs two look-ups. A limit costs one more, in one of 64 shards, and a
// lock that only those share who share the limit. A bucket that is full again is the same as
// none, so it is forgotten: memory holds what was used within its window, at most twice over.
//
// A Limiter is safe for concurrent use. It starts no goroutine.
package ratelimit

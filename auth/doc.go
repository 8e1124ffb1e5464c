// Package auth decides who is asking and what they may do.
//
//	password ─► Login ─► access token ─► Verify ─► Principal ─► Guard.Allow ─► entity
//	                └──► refresh token ─► Refresh ─► a new pair
//
// # Promises
//
//   - A token is good while its session lives. Logging out, a changed password, a disabled or
//     deleted user, a changed role end the session, and with it every token, at once.
//   - A refresh token works once. Used again it ends its session: either the thief or the
//     owner has the newer one, and nobody can tell which.
//   - Access and refresh tokens are not interchangeable; one algorithm is accepted.
//   - Whether a user exists cannot be told from a failed login, neither by its text nor by
//     its time.
//   - Who guesses passwords is slowed down, for the account and from the address; nobody is
//     locked out of an account by somebody elsewhere.
//   - The [Guard] alone decides what of a tenant a principal may touch. What belongs to
//     another tenant does not exist.
//
// A [Service] and a [Guard] are safe for concurrent use and start no goroutine. What they
// keep is behind the interface [Store]; device credentials are the registry's; headers and
// statuses are the doors'.
package auth

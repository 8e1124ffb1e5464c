package model

// What a login needs. The registry keeps these records, auth gives them their meaning.

// An Account is a user with the secret that proves who they are.
type Account struct {
	User     User
	Password string // encoded hash; "" until the first password is set
}

// A Session is one login: it lives as long as its newest refresh token, and every token of
// it dies when it ends.
type Session struct {
	ID   ID
	User UserID // zero for a public session
	// Customer is the public customer of a session that nobody logged in for; zero otherwise.
	Customer CustomerID
	Created  int64 // ms
	Expires  int64 // ms; when the newest refresh token ends
	// Refresh is the SHA-256 of the one refresh token that is good now.
	Refresh [32]byte
	Address string // where the login came from
	Agent   string // what the client called itself
}

// A SetupLink lets its bearer choose the password of a user, once: the first one, or with
// Reset another one.
type SetupLink struct {
	Hash    [32]byte // SHA-256 of the token in the link
	User    UserID
	Created int64 // ms
	Expires int64 // ms
	Reset   bool  // the user has a password and is enabled
}

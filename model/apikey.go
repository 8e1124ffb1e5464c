package model

// An APIKey is what a program logs in with in place of a user: whoever shows its text may what
// the user may (contract thingsboard 2.2). It goes with the user.
type APIKey struct {
	ID          ID
	Tenant      TenantID // the user's; zero for system administrators
	User        UserID
	Created     int64 // ms
	Description string
	Expires     int64 // ms; zero is never
	Enabled     bool
	LastUsed    int64 // ms, to a minute; zero is never
}

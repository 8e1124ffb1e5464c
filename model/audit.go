package model

import (
	"strings"
	"unicode"
)

// An AuditEntry says that somebody did, or tried to do, something. Its texts come from clients
// and are one clean line each: see [Line].
type AuditEntry struct {
	ID       ID
	Time     int64 // ms
	Tenant   TenantID
	Customer CustomerID // of whoever acted; NoCustomer when it is none's
	User     UserID     // zero for an API token, and for somebody unknown
	UserName string     // e-mail, the name of an API token's kind, or what a failed login said
	Entity   EntityRef  // what it was done to; zero when it was none
	Name     string     // of the entity
	Action   string     // as contract clients know it, such as ADDED
	Failure  string     // why it failed; "" when it succeeded
	Address  string     // where it came from
	Agent    string     // what the client called itself
	// Operation is the operationId of openapi.yaml.
	Operation string
}

// An AuditFilter narrows the entries of a tenant. Zero fields narrow nothing.
type AuditFilter struct {
	Tenant   TenantID // always counts; zero is what no tenant did
	Customer CustomerID
	User     UserID
	Entity   EntityRef
	From, To int64 // ms, both inclusive; To zero is no end
	Actions  []string
	Search   string
}

// Line makes one clean line of at most n bytes of what a client says: whatever could end a
// line, move a cursor or turn the direction of writing becomes U+FFFD.
func Line(s string, n int) string {
	clean := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || unicode.Is(unicode.Zl, c) || unicode.Is(unicode.Zp, c) {
			return unicode.ReplacementChar
		}
		return c
	}, s[:min(len(s), 4*n)])
	if len(clean) <= n {
		return clean
	}
	return strings.TrimRight(strings.ToValidUTF8(clean[:n], ""), " ")
}

package model

// An APIToken lets a program in that belongs to a tenant and to no user. The text that was
// shown once is not kept.
type APIToken struct {
	ID      ID
	Tenant  TenantID
	Creator UserID // who made it
	Created int64  // ms
	Version int64
	Name    string
	Grants  Grants
	// Entities narrows the token to these; none means every entity of the tenant.
	Entities []EntityID
	Expires  int64 // ms; zero is never
	LastUsed int64 // ms, to a minute; zero is never
	// Prefix is how the text begins, for people to tell tokens apart.
	Prefix string
	// Overlap is until when, ms, the text before the last rotation still works; zero is none.
	Overlap int64
}

// Grants is a set of what a token is for.
type Grants uint8

// What a token may be for. The numbers are part of the registry's format.
const (
	GrantReadTelemetry  Grants = 1 << iota // "read:telemetry": entities, their telemetry and attributes
	GrantWriteTelemetry                    // "write:telemetry"
	GrantRPC                               // "rpc": calls to devices
	GrantAdmin                             // "admin": all a tenant's administrator may, but tokens and passwords
)

// A Grant is what the token behind a Principal allows. It is shared and immutable.
type Grant struct {
	Token    ID
	Name     string // what the tenant calls it
	Grants   Grants
	Entities map[EntityID]bool // nil: all
}

// Covers reports whether the token is for an entity.
func (g *Grant) Covers(e EntityID) bool { return g.Entities == nil || g.Entities[e] }

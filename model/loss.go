package model

import (
	"fmt"
	"time"
)

// A Loss is what damage on disk has taken: a repair, or the store where damage was in its way,
// could not bring it back. What stands there since may be older than it was: what was deleted
// or corrected last before the damage may be as it was before that.
type Loss struct {
	Tenant TenantID `json:"tenant"`
	Entity EntityID `json:"entity"` // zero: it is not known whose it was
	Scope  Scope    `json:"scope"`
	Keys   []string `json:"keys"` // those that may have lost something; none: all
	From   int64    `json:"from"` // ms
	To     int64    `json:"to"`   // ms, exclusive
	Found  int64    `json:"found"`
	Cause  string   `json:"cause"`
}

func (l Loss) String() string {
	when := time.UnixMilli(l.Found).UTC().Format(time.RFC3339)
	if l.Entity == (EntityID{}) {
		return fmt.Sprintf("lost: %s (found %s)", l.Cause, when)
	}
	d := Damage{Tenant: l.Tenant, Entity: l.Entity, Scope: l.Scope, Keys: l.Keys, From: l.From, To: l.To}
	return fmt.Sprintf("lost: %s, tenant %s (found %s; %s)", d, l.Tenant, when, l.Cause)
}

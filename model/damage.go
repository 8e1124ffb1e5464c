package model

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Damage is a place where what was stored cannot be read: keys of an entity, for a time.
type Damage struct {
	Tenant TenantID
	Entity EntityID // zero: of entities of the tenant that cannot be told
	Scope  Scope
	Keys   []string // sorted; nil means every key
	From   int64    // ms
	To     int64    // ms, exclusive
	Cause  error    // for the operator
}

// String names the place as its tenant may read it.
func (d Damage) String() string {
	keys := "all keys"
	if len(d.Keys) > 0 {
		keys = strings.Join(d.Keys, ", ")
	}
	if d.Entity == (EntityID{}) {
		return fmt.Sprintf("%s of entities that cannot be told, from %s to %s", keys, instant(d.From), instant(d.To))
	}
	return fmt.Sprintf("%s of entity %s (%s) from %s to %s", keys, d.Entity, d.Scope, instant(d.From), instant(d.To))
}

// Operator names the place as whoever runs the server may read it, with its tenant.
func (d Damage) Operator() string { return fmt.Sprintf("tenant %s: %s", d.Tenant, d) }

// instant writes a time, and one that stands for an end of time as such.
func instant(ms int64) string {
	const year1, year9999 = -62135596800000, 253402300799999
	switch {
	case ms < year1:
		return "the beginning"
	case ms > year9999:
		return "the end"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// A DamageError says what an answer lacks. Who asked was handed everything else before.
type DamageError struct {
	Places []Damage // at least one
}

func (e *DamageError) Error() string {
	text := "damaged on disk: " + e.Places[0].String()
	if n := len(e.Places) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	return text
}

// Of returns an error of those places that concern one of the entities concerned reports, or nil.
func (e *DamageError) Of(concerned func(EntityID) bool) error {
	of := slices.DeleteFunc(slices.Clone(e.Places), func(d Damage) bool { return d.Entity != (EntityID{}) && !concerned(d.Entity) })
	if len(of) == 0 {
		return nil
	}
	return &DamageError{Places: of}
}

// Unwrap gives the kind, with a message for the client, and the causes.
func (e *DamageError) Unwrap() []error {
	errs := []error{&Error{Kind: Damaged, Message: "What is stored is " + e.Error()}}
	for _, d := range e.Places {
		if d.Cause != nil {
			errs = append(errs, d.Cause)
		}
	}
	return errs
}

package api

import (
	"encoding/json"

	"github.com/tidewire/tidewire/model"
)

// wireID returns the reference clients see.
func wireID[T ~[16]byte](t EntityType, id T) EntityID {
	return EntityID{EntityType: t, ID: model.ID(id)}
}

// idOf returns the id of a reference a client may leave out; zero where it did.
func idOf[T ~[16]byte](id *EntityID) T {
	if id == nil {
		return T{}
	}
	return T(id.ID)
}

// tenantRef returns the reference to the tenant that owns something. System administrators
// belong to none, which clients know as a constant.
func tenantRef(id model.TenantID) EntityID {
	if id == (model.TenantID{}) {
		return wireID(EntityTypeTENANT, model.NoCustomer)
	}
	return wireID(EntityTypeTENANT, id)
}

// customerRef returns the reference to the customer something is assigned to.
func customerRef(id model.CustomerID) EntityID {
	if id == (model.CustomerID{}) {
		id = model.NoCustomer
	}
	return wireID(EntityTypeCUSTOMER, id)
}

// refOrNull returns a reference clients see, nil, null on the wire, for none.
func refOrNull[T ~[16]byte](t EntityType, id T) *NullableEntityID {
	if model.ID(id).IsZero() {
		return nil
	}
	return &NullableEntityID{EntityType: t, ID: model.ID(id)}
}

// orNull returns nil, null on the wire, for an empty text.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// orEmpty is the reverse.
func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// versionOf returns the version a client read; zero, which is not checked, where it sent none.
// Versions begin at 1: what is less was never read, and -1 conflicts with every version.
func versionOf(v *int64) int64 {
	if v == nil {
		return 0
	}
	if *v < 1 {
		return -1
	}
	return *v
}

// free returns an object that belongs to the client as the wire holds it: nil is null.
func free(b []byte) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	return b
}

// object returns what is kept of such an object: nil for null and for none.
func object(name string, raw json.RawMessage) ([]byte, error) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, nil
	case raw[0] != '{':
		return nil, model.Invalidf("Invalid JSON body: '%s' is not an object", name)
	}
	return raw, nil
}

func contactOf(country, state, city, address, address2, zip, phone, email *string) model.Contact {
	return model.Contact{
		Country: orEmpty(country), State: orEmpty(state), City: orEmpty(city),
		Address: orEmpty(address), Address2: orEmpty(address2), Zip: orEmpty(zip),
		Phone: orEmpty(phone), Email: orEmpty(email),
	}
}

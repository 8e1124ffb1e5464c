package thingsboard

import "github.com/tidewire/tidewire/model"

// ParseScope reads the name of an attribute scope (contract 8.1). An unknown one wraps
// [ErrParameter].
func ParseScope(name string) (model.Scope, error) {
	switch name {
	case "CLIENT_SCOPE":
		return model.Client, nil
	case "SERVER_SCOPE":
		return model.Server, nil
	case "SHARED_SCOPE":
		return model.Shared, nil
	}
	return 0, parameterError(model.Invalidf("Invalid scope: %.64s", name))
}

// ParseSaveScope reads the scope of a REST attribute save, which must not write what
// belongs to the device (contract 8.5).
func ParseSaveScope(name string) (model.Scope, error) {
	scope, err := ParseScope(name)
	if err == nil && scope == model.Client {
		return 0, model.Invalidf("Invalid scope: CLIENT_SCOPE")
	}
	return scope, err
}

// ScopeName returns the wire name of an attribute scope.
func ScopeName(s model.Scope) string {
	switch s {
	case model.Client:
		return "CLIENT_SCOPE"
	case model.Server:
		return "SERVER_SCOPE"
	case model.Shared:
		return "SHARED_SCOPE"
	}
	return s.String()
}

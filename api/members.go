package api

import (
	"encoding/json"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

// A member is one that clients find in an object even where nobody sent it.
type member struct {
	name string
	// members are its own; where there are any it has to be an object.
	members []member
	value   string // JSON; what it is otherwise
}

// ofType is a configuration that has a type.
func ofType(name, kind string, more ...member) member {
	return member{name: name, members: append([]member{{name: "type", value: fmt.Sprintf("%q", kind)}}, more...)}
}

// withMembers returns an object with the members that are missing or null in raw; what is
// complete stays as it was sent, to the byte.
func withMembers(name string, raw []byte, members []member) ([]byte, error) {
	raw, err := object(name, raw)
	if err != nil {
		return nil, err
	}
	all := make(map[string]json.RawMessage)
	if raw != nil {
		if err := json.Unmarshal(raw, &all); err != nil {
			return nil, &model.Error{Kind: model.Invalid, Message: fmt.Sprintf("Invalid JSON body: '%s' is not an object", name), Err: err}
		}
	}
	changed := raw == nil
	for _, m := range members {
		old := all[m.name]
		missing := len(old) == 0 || string(old) == "null"
		value := []byte(m.value)
		if m.members != nil {
			if value, err = withMembers(name+"."+m.name, old, m.members); err != nil {
				return nil, err
			}
		} else if !missing {
			continue
		}
		if string(value) != string(old) {
			all[m.name], changed = value, true
		}
	}
	if !changed {
		return raw, nil
	}
	return json.Marshal(all)
}

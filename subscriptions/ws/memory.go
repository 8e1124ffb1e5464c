package ws

import (
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// A memory is the newest told of each key, where that says what is news: of the latest values of a
// view, for which a late point may be some, and of attributes of any scope, where what is removed may
// uncover another one. Who resumes has none; what was there is known of scopes that nothing has
// changed since, and of keys that were told something.
type memory struct {
	joined
	base joined                // as it is now; holds for what was not told anything
	sure [model.State + 1]bool // what joined has not is not there
	told [model.State + 1]map[string]bool
}

// knows reports whether joined has what a scope held of a key.
func (m *memory) knows(scope model.Scope, key string) bool {
	return m.sure[scope] || m.told[scope][key]
}

// note is joined's, and makes the key known.
func (m *memory) note(scope model.Scope, p *subscriptions.Point) (shown subscriptions.Point, changed bool) {
	if !m.knows(scope, p.Key) {
		if m.told[scope] == nil {
			m.told[scope] = make(map[string]bool)
		}
		m.told[scope][p.Key] = true
	}
	return m.joined.note(scope, p)
}

// shows notes a point of a scope and returns what is shown of its key over scopes from then on, and
// whether that was something else before; or, of a removal, that this is unknown.
func (m *memory) shows(scope model.Scope, scopes []model.Scope, p *subscriptions.Point) (shown subscriptions.Point, changed, unknown bool) {
	alone := true // no other scope holds the key
	for _, other := range scopes {
		_, held := m.joined[other][p.Key]
		known := m.knows(other, p.Key)
		unknown = unknown || !known
		alone = alone && (other == scope || known && !held)
	}
	shown, changed = m.note(scope, p)
	return shown, changed || unknown, unknown && !alone
}

// recall begins with what is there now, of which all of a scope was there at a place, too, when
// nothing has changed since.
func (m *memory) recall(at subscriptions.Place, positions map[model.Scope]model.Position) {
	for scope, p := range positions {
		if !at.Before(p, scope) {
			m.joined[scope], m.sure[scope] = m.base[scope], true
		}
	}
}

// settle ends with what is there for all that was told nothing.
func (m *memory) settle() {
	for scope := range m.base {
		if m.sure[scope] {
			continue
		}
		for key, p := range m.base[scope] {
			if !m.told[scope][key] {
				m.put(model.Scope(scope), key, p)
			}
		}
		m.sure[scope] = true
	}
}

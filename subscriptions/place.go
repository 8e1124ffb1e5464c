package subscriptions

import "github.com/tidewire/tidewire/model"

// A Place is how far a subscriber has heard: everything before Position and, at Position, what
// happened to the scopes up to Scope, in whose order it is told. The zero Place is none.
type Place struct {
	Position model.Position
	Scope    model.Scope
}

// through is the place behind everything at p.
func through(p model.Position) Place { return Place{p, model.State} }

// Before reports whether a change of scope at p lies behind the place: it was not heard yet.
func (x Place) Before(p model.Position, scope model.Scope) bool {
	return p > x.Position || p == x.Position && scope > x.Scope
}

// log is from where the log has to be read to hear what lies behind the place.
func (x Place) log() model.Position {
	if x.Scope < model.State && x.Position > 0 {
		return x.Position - 1 // what else there is at Position
	}
	return x.Position
}

// later returns the place that is further.
func later(a, b Place) Place {
	if a.Before(b.Position, b.Scope) {
		return b
	}
	return a
}

package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// Where something stored cannot be read, a history, or the state at an instant, is answered 500 and
// the message names the place: whoever does not know of damage must not take what is left for the whole. A client
// that does asks for what is left with the request header, and is told in the other one,
// which is a trailer when the answer has begun.
const (
	takeDamageHeader = "Tidewire-Accept-Damage"
	damagedHeader    = "Tidewire-Damaged"
)

// takesDamage reports whether the client wants what is left.
func takesDamage(r *request) bool {
	return r != nil && r.http.Header.Get(takeDamageHeader) == "true"
}

// maxPlaces bounds the header; the last one is then said to reach to the end of all.
const maxPlaces = 32

// damaged says what the answer lacks: keys=a,b;from=ms;to=ms, a comma and a space between places.
func (s *sender) damaged(e *model.DamageError) {
	places := e.Places
	if n := len(places); n > maxPlaces {
		last := places[maxPlaces-1]
		last.Keys = nil
		for _, p := range places[maxPlaces:] {
			last.From, last.To = min(last.From, p.From), max(last.To, p.To)
		}
		places = append(places[:maxPlaces-1:maxPlaces-1], last)
	}
	parts := make([]string, len(places))
	for i, p := range places {
		keys := make([]string, len(p.Keys))
		for k := range keys {
			keys[k] = url.QueryEscape(p.Keys[k])
		}
		parts[i] = fmt.Sprintf("keys=%s;from=%d;to=%d", strings.Join(keys, ","), p.From, p.To)
	}
	name := damagedHeader
	if s.started {
		name = http.TrailerPrefix + name
	}
	s.w.Header().Set(name, strings.Join(parts, ", "))
}

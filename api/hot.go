package api

import (
	"net/http"

	"github.com/tidewire/tidewire/model"
)

// A hotAnswer is JSON already written into a borrowed buffer, in place of generated types
// that would be built only to be walked by reflection.
type hotAnswer struct {
	request *request
	scratch *scratch
	damage  model.DamageError // what it lacks, for a client that takes what is left
}

func (a hotAnswer) write(w http.ResponseWriter) error {
	defer a.scratch.giveBack()
	out := sender{w: w, request: a.request}
	if len(a.damage.Places) > 0 {
		out.damaged(&a.damage)
	}
	return out.finish(a.scratch.out)
}

// VisitGetTimeseriesKeysResponse implements GetTimeseriesKeysResponseObject.
func (a hotAnswer) VisitGetTimeseriesKeysResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetTimeseriesResponse implements GetTimeseriesResponseObject.
func (a hotAnswer) VisitGetTimeseriesResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetAttributeKeysResponse implements GetAttributeKeysResponseObject.
func (a hotAnswer) VisitGetAttributeKeysResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetAttributeKeysByScopeResponse implements GetAttributeKeysByScopeResponseObject.
func (a hotAnswer) VisitGetAttributeKeysByScopeResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitGetAttributesResponse implements GetAttributesResponseObject.
func (a hotAnswer) VisitGetAttributesResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetAttributesByScopeResponse implements GetAttributesByScopeResponseObject.
func (a hotAnswer) VisitGetAttributesByScopeResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetDeviceAttributesResponse implements GetDeviceAttributesResponseObject.
func (a hotAnswer) VisitGetDeviceAttributesResponse(w http.ResponseWriter) error { return a.write(w) }

package model

import "slices"

// An EntityView shows part of what another entity has to those who may not see all of it
// (contract thingsboard 3.4, 8.7): its time series are read through to the source, its
// attributes are copies, made when it is saved.
type EntityView struct {
	ID       EntityID
	Tenant   TenantID
	Customer CustomerID
	Created  int64 // ms
	Version  int64
	Name     string
	Type     string // a free word of clients
	Source   EntityRef
	Keys     ViewKeys
	From, To int64 // ms, what is shown; zero is open
	Info     []byte
}

// ViewKeys are the keys a view shows. No time series means all of them, no attributes none.
type ViewKeys struct {
	Timeseries, Client, Server, Shared []string
}

// An EntityViewFilter narrows a list of entity views.
type EntityViewFilter struct {
	Type     string
	Customer CustomerID
}

// Window returns what readers of v's time series need.
func (v *EntityView) Window() *Window {
	w := &Window{Source: v.Source, From: v.From, To: v.To}
	if len(v.Keys.Timeseries) > 0 {
		w.Keys = slices.Compact(slices.Sorted(slices.Values(v.Keys.Timeseries)))
	}
	return w
}

// A Window is the part of an entity's time series that a view shows. It is not changed any
// more once it is shared.
type Window struct {
	Source   EntityRef
	Keys     []string // sorted, distinct; nil means all
	From, To int64    // ms, To exclusive; zero is open
}

// HasKey reports whether w shows anything of a key.
func (w *Window) HasKey(key string) bool {
	if w.Keys == nil {
		return true
	}
	_, ok := slices.BinarySearch(w.Keys, key)
	return ok
}

// Shows reports whether w shows a point.
func (w *Window) Shows(key string, ts int64) bool {
	return (w.From == 0 || ts >= w.From) && (w.To == 0 || ts < w.To) && w.HasKey(key)
}

// Only returns those of keys that w has; all of w's when keys is nil. Nil means every key of
// the source, an empty list none.
func (w *Window) Only(keys []string) []string {
	if keys == nil {
		return w.Keys
	}
	out := make([]string, 0, len(keys))
	for _, k := range keys {
		if w.HasKey(k) {
			out = append(out, k)
		}
	}
	return out
}

// Clip makes a query of the view one of its source, and reports whether it can have an
// answer at all.
func (w *Window) Clip(q *RangeQuery) bool {
	q.To = max(q.To, q.From+1) // as the engine reads it
	q.Entity, q.Keys = w.Source.ID, w.Only(q.Keys)
	if w.From != 0 {
		q.From = max(q.From, w.From)
	}
	if w.To != 0 {
		q.To = min(q.To, w.To)
	}
	return q.From < q.To && (q.Keys == nil || len(q.Keys) > 0)
}

// Package views reads entity views through to the entities they show.
//
//	view ─ Window (source, keys, span) ─► query of the source, clipped
//
// Time series of a view are those of its source, limited to the view's keys and span
// (contract thingsboard 8.7). Attributes of a view are its own: copies, made when the view is
// saved.
//
// Nothing here keeps state; everything may be called concurrently.
package views

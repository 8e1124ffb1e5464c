package api

import (
	"net/http"
	"strings"
)

// heads answers HEAD as GET without a body, wherever there is a GET that ends: the router knows
// only methods that the document names.
type heads struct{ next http.Handler }

// ServeHTTP implements http.Handler.
func (h heads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodHead || strings.HasPrefix(r.URL.Path, "/api/ws") || r.URL.Path == eventsPath {
		h.next.ServeHTTP(w, r)
		return
	}
	get := r.WithContext(r.Context()) // net/http goes on with its own, which stays a HEAD
	get.Method = http.MethodGet
	h.next.ServeHTTP(bodiless{w}, get)
}

// Unwrap returns the handler of all other methods, which knows the routes.
func (h heads) Unwrap() http.Handler { return h.next }

// A bodiless writer drops the body.
type bodiless struct{ http.ResponseWriter }

func (bodiless) Write(b []byte) (int, error) { return len(b), nil }

// Unwrap lets http.ResponseController reach the writer.
func (w bodiless) Unwrap() http.ResponseWriter { return w.ResponseWriter }

package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// A request is what handlers may know of the HTTP request beyond its parameters. It is the
// context they get, and ends when the client leaves or the time is up.
type request struct {
	context.Context
	http      *http.Request
	server    *Server
	principal model.Principal
	wait      wait
}

type requestKey struct{}

// Value implements context.Context.
func (r *request) Value(key any) any {
	if key == (requestKey{}) {
		return r
	}
	return r.Context.Value(key)
}

// requestOf returns the request behind a handler's context.
func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// caller returns who is asking. The zero principal, which may do nothing, stands for nobody.
func caller(ctx context.Context) model.Principal {
	if r := requestOf(ctx); r != nil {
		return r.principal
	}
	return model.Principal{}
}

// client describes the caller's end for the record of a login session.
func (r *request) client() auth.Client {
	return auth.Client{Address: r.server.echo.IPExtractor(r.http), Agent: r.http.UserAgent()}
}

// origin returns the scheme and host the request came to.
func (r *request) origin() string {
	scheme, host := "http", r.http.Host
	if r.http.TLS != nil {
		scheme = "https"
	}
	if r.server.isTrusted(r.http) {
		if proto := r.http.Header.Get("X-Forwarded-Proto"); proto == "http" || proto == "https" {
			scheme = proto
		}
		if forwarded := r.http.Header.Get("X-Forwarded-Host"); forwarded != "" {
			host = forwarded
		}
	}
	return scheme + "://" + host
}

// isPublic reports whether a route is open to everyone (contract thingsboard 2.2). Routes
// outside /api/ are.
func isPublic(path string) bool {
	return isLogin(path) || !strings.HasPrefix(path, "/api/") ||
		strings.HasPrefix(path, "/api/noauth/") ||
		strings.HasPrefix(path, "/api/v1/") ||
		path == "/api/ws" || strings.HasPrefix(path, "/api/ws/")
}

// isLogin reports whether a route takes credentials in its body.
func isLogin(path string) bool {
	return path == "/api/auth/login" || path == "/api/auth/login/public" || path == "/api/auth/token"
}

// authenticate says who presents the request (contract thingsboard 2.2). A token in the
// query counts for sockets and events only, whose clients in browsers can send no header:
// addresses end up in logs.
func (s *Server) authenticate(r *http.Request) (model.Principal, error) {
	if r.URL.Path == eventsPath {
		if token := r.URL.Query().Get("token"); token != "" {
			return s.auth.Verify(token)
		}
	}
	token, err := auth.BearerToken(r.Header.Get("X-Authorization"), r.Header.Get("Authorization"))
	if err != nil {
		return model.Principal{}, err
	}
	return s.auth.Verify(token)
}

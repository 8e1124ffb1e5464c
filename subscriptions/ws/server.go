// Package ws is the WebSocket door (contract thingsboard 11).
package ws

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// An Access is what a command asks to see of an entity.
type Access uint8

// The accesses.
const (
	ReadTelemetry Access = iota
	ReadAttributes
)

// Deps is what a Server needs.
type Deps struct {
	Hub *subscriptions.Hub
	// Verify says who presents a token.
	Verify func(token string) (model.Principal, error)
	// Allow says whether p may see ref: NotFound for what is another tenant's, Denied for
	// what is another customer's. It is asked again for open subscriptions, so it must be
	// fast and do no I/O.
	Allow func(p model.Principal, a Access, ref model.EntityRef) (*model.Entity, error)
	// Current, asked every few seconds for each open session, returns the principal as it is
	// now, or an error when its session was revoked or its user is gone. Nil keeps what
	// Verify said.
	Current func(p model.Principal) (model.Principal, error)
	Now     func() time.Time // nil means time.Now
	Log     *slog.Logger     // nil means none
	Limits  Limits
}

// Limits bounds what clients may take. Zero fields mean what their comments say.
type Limits struct {
	// Subscriptions is per session. Zero means 10,000.
	Subscriptions int
	// OutboxBytes is what waits for a slow reader before updates are coalesced. Zero means 64 KiB.
	OutboxBytes int
}

// A Server answers /api/ws and /api/ws/plugins/telemetry.
type Server struct{}

// New returns a server whose goroutines run until Shutdown.
func New(d Deps) *Server { return &Server{} }

// ServeHTTP upgrades the request and returns; the session goes on by itself.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {}

// Recheck asks again, at once, whether every open subscription is still allowed.
func (s *Server) Recheck() {}

// Shutdown closes every socket with 1012 and waits until all are gone or ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { return nil }

package api

import (
	"context"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

const (
	// giantSize is the size, bytes, from which a body of telemetry or attributes is a giant.
	giantSize = 1 << 20
	// maxGiants is how many giants are worked on at a time. Read, one takes up to twenty
	// times its size, and two keep the store busy.
	maxGiants = 2
)

// giants makes large bodies take turns, so that what many of them need at once does not end
// the process. Its elements are places taken.
type giants chan struct{}

// enter waits for a place when a body of n bytes needs one. The caller calls done when it
// has written what it read.
func (g giants) enter(ctx context.Context, n int) (done func(), err error) {
	if n < giantSize {
		return func() {}, nil
	}
	select {
	case g <- struct{}{}:
		return func() { <-g }, nil
	case <-ctx.Done():
		return nil, &model.Error{Kind: model.Overload, Message: "The server is overloaded, try again later", Err: context.Cause(ctx)}
	}
}

// parseOptions are the server's switches for a body.
func (s *Server) parseOptions(rest bool) thingsboard.ParseOptions {
	return thingsboard.ParseOptions{REST: rest, MaxKeys: s.Limits.Keys, MaxPoints: s.Limits.Points}
}

package api

import (
	"context"
	"io"

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

// A parseBody makes a write set of a body, which it may keep views into until the set is written.
type parseBody = func(*thingsboard.Parser, []byte) (*model.WriteSet, error)

// A deliver is one of the two methods of Writer.
type deliver = func(context.Context, *model.Entity, ...*model.WriteSet) error

// write is the way of every body with telemetry or attributes: read, wait for a turn if it
// is a giant, parse, hand to the pipeline.
func (s *Server) write(ctx context.Context, e *model.Entity, body io.Reader, parse parseBody, to deliver) error {
	b := borrow()
	defer b.giveBack()
	raw, err := b.read(body)
	if err != nil {
		return err
	}
	done, err := s.giants.enter(ctx, len(raw))
	if err != nil {
		return err
	}
	defer done()
	set, err := parse(&b.parser, raw)
	if err != nil {
		return err
	}
	return to(ctx, e, set)
}

// parseOptions are the server's switches for a body.
func (s *Server) parseOptions(rest bool) thingsboard.ParseOptions {
	return thingsboard.ParseOptions{
		REST: rest, KeepNumericStrings: s.KeepNumericStrings, MaxStringLength: s.Limits.String,
		MaxKeys: s.Limits.Keys, MaxPoints: s.Limits.Points,
	}
}

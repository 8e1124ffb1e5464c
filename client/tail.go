package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// A Feed names series of one entity to follow.
type Feed struct {
	Entity EntityID
	Keys   []string // none means all
}

// A Point is a value of a series. A removed series is one at 0 with an empty text.
type Point struct {
	TS    int64 // ms
	Value string
}

// An Update is what one message of a device stored, or what there was to begin with.
type Update struct {
	Feed   int                // its index
	Points map[string][]Point // by key, oldest first
	First  bool               // the latest values as they were when following began, or began again
	// Resync says why following began again after a break, "TOO_OLD" or "RESTORED": what was
	// missed is not known to the server any more.
	Resync string
	// Coalesced is how many points the server left out because this reader was slow.
	Coalesced int
}

// TailOptions tune Tail. Zero fields mean what they say.
type TailOptions struct {
	// Lost is told of a broken connection, and after how long the next attempt begins.
	Lost func(err error, retry time.Duration)
	// Wait sleeps between attempts; nil means by the clock.
	Wait func(ctx context.Context, d time.Duration) error
}

// Tail follows feeds over a WebSocket and hands every update to each, one at a time, until ctx
// ends or each returns an error. When the connection breaks it goes on where it was, so that
// nothing is missed and nothing told twice, for as long as the server remembers.
//
// It returns ctx's error, that of each, or why it is useless to go on: the server cannot be
// reached in the first place, refuses who is asking, or refuses a feed (an [*Error] with the
// protocol's errorCode and no Status).
func Tail(ctx context.Context, c *ClientWithResponses, feeds []Feed, o TailOptions, each func(Update) error) error {
	inner, ok := c.ClientInterface.(*Client)
	if !ok {
		return errors.New("the client was not made by Open")
	}
	s, ok := inner.Client.(*session)
	if !ok {
		return errors.New("the client was not made by Open")
	}
	for _, f := range feeds {
		for _, key := range f.Keys {
			if strings.Contains(key, ",") {
				return fmt.Errorf("key %q: a key with a comma cannot be followed by name", key)
			}
		}
	}
	if o.Wait == nil {
		o.Wait = sleep
	}
	t := &tail{session: s, feeds: feeds, each: each, positions: make([]string, len(feeds)), begun: make([]bool, len(feeds))}
	return t.run(ctx, o)
}

// A tail is what Tail knows between connections.
type tail struct {
	session   *session
	feeds     []Feed
	each      func(Update) error
	positions []string // of each feed, where it stands; "" before the first frame
	begun     []bool   // its first frame has come, or it goes on behind a position
	reached   bool     // the server has answered before
	taken     bool     // this connection has brought a frame
}

// A finalError ends Tail.
type finalError struct{ error }

func (f finalError) Unwrap() error { return f.error }

// Pauses between attempts to connect.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
)

func (t *tail) run(ctx context.Context, o TailOptions) error {
	pause, refused := firstPause, ""
	for {
		token, err := t.session.token(ctx, refused)
		if err == nil && refused != "" && token == refused {
			return errors.New("the server refuses the token")
		}
		if err == nil {
			t.taken = false
			err = t.connect(ctx, token)
		}
		if t.taken {
			pause = firstPause
		}
		final, isFinal := errors.AsType[finalError](err)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case isFinal:
			return final.error
		case !t.reached, isUnauthorized(err):
			return err // more likely a wrong address, or a wrong password, than a server that is away
		}
		if isRefusal(err) && (t.taken || refused == "") {
			refused = token // another one, at once
			continue
		}
		refused = ""
		if o.Lost != nil {
			o.Lost(err, pause)
		}
		if err := o.Wait(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, maxPause)
	}
}

// isRefusal reports whether the server closed the socket because of who is asking.
func isRefusal(err error) bool {
	switch websocket.CloseStatus(err) {
	case websocket.StatusInvalidFramePayloadData, websocket.StatusPolicyViolation, websocket.StatusInternalError:
		return true
	}
	return false
}

// silence is how long the server may say nothing: it pings every ten seconds.
const silence = 45 * time.Second

// connect follows over one connection until it breaks.
func (t *tail) connect(ctx context.Context, token string) error {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	watchdog := time.AfterFunc(silence, func() { cut(errors.New("the server has gone silent")) })
	defer watchdog.Stop()
	heard := func() { watchdog.Reset(silence) }
	socket, _, err := websocket.Dial(ctx, t.session.base+"/api/ws", &websocket.DialOptions{ //nolint:bodyclose // the socket owns it
		HTTPClient:     t.session.http,
		OnPingReceived: func(context.Context, []byte) bool { heard(); return true },
	})
	if err != nil {
		return err
	}
	t.reached = true
	defer func() { _ = socket.CloseNow() }()
	socket.SetReadLimit(maxFrame)
	if err := t.subscribe(ctx, socket, token); err != nil {
		return err
	}
	for {
		_, text, err := socket.Read(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		heard()
		if err := t.take(text); err != nil {
			return err
		}
	}
}

// maxFrame bounds what one frame may take, bytes.
const maxFrame = 64 << 20

// A command subscribes, or goes on behind a position.
type command struct {
	Type       string     `json:"type"`
	CmdID      int        `json:"cmdId"`
	EntityType EntityType `json:"entityType"`
	EntityID   string     `json:"entityId"`
	Keys       string     `json:"keys,omitempty"`
	Positions  bool       `json:"positions"`
	Resume     string     `json:"resume,omitempty"`
}

// A hello is a message to the server.
type hello struct {
	Auth *authCommand `json:"authCmd,omitempty"`
	Cmds []command    `json:"cmds"`
}

type authCommand struct {
	CmdID int    `json:"cmdId"`
	Token string `json:"token"`
}

func (t *tail) subscribe(ctx context.Context, socket *websocket.Conn, token string) error {
	message := hello{Auth: &authCommand{Token: token}}
	const perMessage = 10 // of 32,768 bytes, with a dozen keys each
	for i, f := range t.feeds {
		t.begun[i] = t.positions[i] != ""
		message.Cmds = append(message.Cmds, command{"TIMESERIES", i + 1, f.Entity.EntityType, f.Entity.ID.String(), strings.Join(f.Keys, ","), true, t.positions[i]})
		if len(message.Cmds) < perMessage && i < len(t.feeds)-1 {
			continue
		}
		text, err := json.Marshal(message)
		if err != nil {
			return err
		}
		if err := socket.Write(ctx, websocket.MessageText, text); err != nil {
			return err
		}
		message = hello{}
	}
	return nil
}

// A frame is a message from the server.
type frame struct {
	SubscriptionID int                 `json:"subscriptionId"`
	ErrorCode      int                 `json:"errorCode"`
	ErrorMsg       string              `json:"errorMsg"`
	Data           map[string][]rawRow `json:"data"`
	Position       string              `json:"position"`
	Resync         string              `json:"resync"`
	Coalesced      int                 `json:"coalesced"`
}

// A rawRow is a timestamp and a text, or null where a key asked for has no value.
type rawRow [2]json.RawMessage

// codeSlow says that updates are kept back for a while; they come merged.
const codeSlow = 34

// take hands one frame on and remembers where it stands.
func (t *tail) take(text []byte) error {
	var f frame
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("a frame that cannot be read: %w", err)
	}
	i := f.SubscriptionID - 1
	if f.ErrorCode != 0 && f.ErrorCode != codeSlow {
		return t.refused(i, &Error{Code: f.ErrorCode, Message: f.ErrorMsg})
	}
	if i < 0 || i >= len(t.feeds) || f.ErrorCode != 0 {
		return nil
	}
	u := Update{Feed: i, Points: map[string][]Point{}, First: !t.begun[i] || f.Resync != "", Resync: f.Resync, Coalesced: f.Coalesced}
	for _, key := range slices.Sorted(maps.Keys(f.Data)) {
		for _, row := range f.Data[key] {
			var p Point
			if string(row[1]) == "null" {
				continue
			}
			if err := errors.Join(json.Unmarshal(row[0], &p.TS), json.Unmarshal(row[1], &p.Value)); err != nil {
				return fmt.Errorf("a frame that cannot be read: %w", err)
			}
			u.Points[key] = append(u.Points[key], p)
		}
	}
	if len(u.Points) > 0 || u.First {
		if err := t.each(u); err != nil {
			return finalError{err}
		}
	}
	t.taken, t.begun[i] = true, true
	if f.Position != "" {
		t.positions[i] = f.Position
	}
	return nil
}

// refused judges an error frame: a position the server does not take is forgotten, anything
// else ends the tail.
func (t *tail) refused(i int, e *Error) error {
	const badCommand = 2
	if i >= 0 && i < len(t.feeds) && e.Code == badCommand && t.positions[i] != "" {
		t.positions[i] = ""
		return e
	}
	return finalError{e}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

package ws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// ServeEvents answers with server-sent events, for places that no WebSocket reaches: the query
// parameter cmds is the list of commands of p, and each frame is one event. What the client is
// sent back as Last-Event-ID says where to go on. The stream is a session like that of a socket,
// with the same limits and rechecks.
//
// An error means that nothing was answered yet. Otherwise it returns at once; the stream goes on
// by itself.
func (s *Server) ServeEvents(w http.ResponseWriter, r *http.Request, p model.Principal) error {
	commands, err := eventCommands(r)
	if err != nil {
		return err
	}
	if !s.reserve() {
		return model.Errorf(model.Overload, "Too many connections or shutting down")
	}
	x := newSession(s)
	if err := s.admit(x, p); err != nil {
		s.leave(x)
		return err
	}
	header := w.Header()
	nc, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.leave(x)
		return fmt.Errorf("take over the connection: %w", err)
	}
	x.attach(nc)
	x.conn.events = &eventStream{}
	x.conn.plain(eventHead(header))
	s.enter(x)
	go x.stream(commands)
	return nil
}

// maxEventCommands bounds the commands of a stream: each event names the place of all.
const maxEventCommands = 100

// eventCommands reads what a stream is asked for.
func eventCommands(r *http.Request) ([]thingsboard.WSCommand, error) {
	list := r.URL.Query().Get("cmds")
	if len(list) > maxText {
		return nil, model.Invalidf("cmds of %d bytes exceeds the limit of %d", len(list), maxText)
	}
	if b := bytes.TrimSpace([]byte(list)); len(b) == 0 || b[0] != '[' || !json.Valid(b) {
		return nil, model.Invalidf("cmds must be a list of commands")
	}
	m, err := thingsboard.ParseWS([]byte(`{"cmds":` + list + `}`))
	if err != nil {
		return nil, err
	}
	if len(m.Commands) == 0 || len(m.Commands) > maxEventCommands {
		return nil, model.Invalidf("cmds must hold 1 to %d commands", maxEventCommands)
	}
	at, err := parseEventID(r.Header.Get("Last-Event-ID"))
	if err != nil {
		return nil, err
	}
	for i := range m.Commands {
		c := &m.Commands[i]
		switch {
		case c.Err != nil:
			return nil, c.Err
		case c.End || c.Unsubscribe:
			return nil, model.Invalidf("A stream of events ends with its connection")
		case c.Type == thingsboard.WSTimeseries || c.Type == thingsboard.WSAttributes || c.Type == thingsboard.WSEntityData:
			c.Positions = true
			if p := at.of(c.ID, c.Type == thingsboard.WSEntityData); p != "" {
				c.Resume = p
			}
		}
	}
	return m.Commands, nil
}

// eventHead is the head of the answer. It has no length and ends with the connection.
func eventHead(header http.Header) []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\n")
	header = header.Clone()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Connection", "close")
	header.Set("X-Accel-Buffering", "no") // proxies pass on what comes as it comes
	_ = header.Write(&b)                  // to memory
	fmt.Fprintf(&b, "\r\nretry: %d\n\n", eventRetry)
	return b.Bytes()
}

// eventRetry is when browsers come back, ms: as stock clients do.
const eventRetry = 2000

// stream is the goroutine of a stream until its commands are carried out.
func (s *session) stream(commands []thingsboard.WSCommand) {
	for i := range commands {
		if s.waitRoom(); s.verdict.Load() != nil {
			break
		}
		s.command(&commands[i])
	}
	go s.watch() // with a small stack, see park
}

// watch is the goroutine of an idle stream: it waits for its end, and passes over what the
// client may send.
func (s *session) watch() {
	var err error
	for b := make([]byte, 64); err == nil && s.verdict.Load() == nil; {
		_, err = s.conn.nc.Read(b)
	}
	s.end()
	if v := s.verdict.Load(); v != nil && v.code != websocket.StatusAbnormalClosure {
		s.conn.last(fmt.Appendf(nil, "event: close\ndata: {\"code\":%d,\"reason\":%q}\n\n", v.code, v.reason))
	}
	_ = s.conn.end() // there is nobody to tell
	s.server.leave(s)
}

// heartbeat is a comment, which keeps proxies from ending a silent stream.
const heartbeat = ":\n\n"

// An eventStream makes events of frames. Its events name the place of every subscription that
// has one, so that the last one is enough to go on with all of them.
type eventStream struct{ at eventID }

// form makes events of whole WebSocket frames.
func (e *eventStream) form(frames []byte) []byte {
	var dst []byte
	for len(frames) > 0 {
		payload, rest := cutFrame(frames)
		frames = rest
		if id, query, position, ok := thingsboard.WSPlace(payload); ok && e.at.set(id, query, string(position)) {
			dst = append(append(append(dst, "id: "...), e.at.String()...), '\n')
		}
		dst = append(append(append(dst, "data: "...), payload...), "\n\n"...)
	}
	return dst
}

// An eventID is how far the subscriptions and queries of a stream are: cmdId:position,…
type eventID []eventPlace

type eventPlace struct {
	id       int64
	query    bool // the ids of queries are their own
	position string
}

func (e eventID) String() string {
	var b strings.Builder
	for i, p := range e {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d:%s", p.id, p.position)
	}
	return b.String()
}

func (e eventID) of(id int64, query bool) string {
	for _, p := range e {
		if p.id == id && p.query == query {
			return p.position
		}
	}
	return ""
}

// set notes a place, or that there is none, and reports whether that is news.
func (e *eventID) set(id int64, query bool, position string) bool {
	for i := range *e {
		p := &(*e)[i]
		if p.id != id || p.query != query {
			continue
		}
		was := p.position
		if p.position = position; position == "" {
			*e = append((*e)[:i], (*e)[i+1:]...)
		}
		return was != position
	}
	if position != "" {
		*e = append(*e, eventPlace{id, query, position})
	}
	return position != ""
}

func parseEventID(list string) (e eventID, err error) {
	if list == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(list, ",") {
		number, text, _ := strings.Cut(part, ":")
		var p position
		id, err := strconv.ParseInt(number, 10, 64)
		if err == nil {
			p, err = parsePosition(text)
		}
		if err != nil || len(e) == maxEventCommands {
			return nil, model.Invalidf("Last-Event-ID is none of ours: %.64q", list)
		}
		e.set(id, p.query, text)
	}
	return e, nil
}

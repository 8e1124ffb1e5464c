package ws

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidewire/tidewire/internal/spectest"
	"github.com/tidewire/tidewire/model"
)

// eventDoor serves /api/live as the REST interface does, after it has judged the token.
func (w *world) eventDoor() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Content-Type-Options", "nosniff")
		if err := w.server.ServeEvents(rw, r, model.Principal{Tenant: tenant, User: model.UserID{4}}); err != nil {
			http.Error(rw, model.MessageOf(err, "failed"), 400+int(model.KindOf(err)))
		}
	})
}

// A stream is a client of server-sent events that reads as a browser does.
type stream struct {
	t    testing.TB
	body io.Closer
	r    *bufio.Reader
	last string // the id a browser would send back
}

// An event is what a browser hands to a page.
type event struct{ kind, data string }

func (w *world) stream(c *http.Client, base, cmds, last string) *stream {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, base+"/api/live?cmds="+url.QueryEscape(cmds), http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	got, err := c.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { got.Body.Close() })
	if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/event-stream" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
		b, _ := io.ReadAll(got.Body)
		w.t.Fatalf("got %s %v %s", got.Status, got.Header, b)
	}
	return &stream{w.t, got.Body, bufio.NewReader(got.Body), last}
}

// next reads to the next event; comments and the time to retry are none.
func (s *stream) next() (e event) {
	s.t.Helper()
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			s.t.Fatalf("no event: %v", err)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			s.last = value
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "":
			if e != (event{}) {
				if e.kind == "" {
					spectest.Frame(s.t, []byte(e.data))
				}
				return e
			}
		}
	}
}

func (s *stream) frame() told {
	s.t.Helper()
	return parse(s.t, s.next().data)
}

const (
	eventSeries     = `{"type":"TIMESERIES","cmdId":3,"entityType":"DEVICE","entityId":"` + device + `"}`
	eventAttributes = `{"type":"ATTRIBUTES","cmdId":4,"entityType":"DEVICE","entityId":"` + device + `"}`
)

// What a browser does by itself after its connection broke: the same address, and the id of the
// last event. It is enough for every subscription of the stream.
func TestAStreamOfEventsGoesOnWhereItBroke(t *testing.T) {
	w := newWorld(t, fixed)
	h := httptest.NewServer(w.eventDoor())
	defer h.Close()
	w.write(model.Timeseries, 1, "t", 1)
	const cmds = "[" + eventSeries + "," + eventAttributes + "]"
	s := w.stream(h.Client(), h.URL, cmds, "")
	e := s.next()
	if want := dataFrame(3, `{"t":[[1,"1"]]}`, `{"t":1}`); !strings.HasPrefix(e.data, strings.TrimSuffix(want, "}")+`,"position":"`) {
		t.Errorf("first event %q, want the frame %q with a position", e.data, want)
	}
	s.next()
	w.write(model.Timeseries, 2, "t", `two "lines"`+"\n"+`,"position":"x"}`)
	if f := s.frame(); f.ID != 3 || f.Data["t"][0][1] != `two "lines"`+"\n"+`,"position":"x"}` {
		t.Errorf("got %+v", f)
	}
	s.body.Close()
	w.write(model.Timeseries, 3, "t", 3)
	w.write(model.Server, 7, "a", 1)
	w.write(model.Timeseries, 4, "t", 4)

	s = w.stream(h.Client(), h.URL, cmds, s.last)
	for _, want := range []string{"3", "4"} {
		if f := s.frame(); f.ID != 3 || f.Data["t"][0][1] != want {
			t.Errorf("missed %s, got %+v", want, f)
		}
	}
	if f := s.frame(); f.ID != 3 || f.Resumed == nil || *f.Resumed != 2 {
		t.Errorf("got %+v", f)
	}
	if f := s.frame(); f.ID != 4 || fmt.Sprint(f.Data) != "map[a:[[7 1]]]" {
		t.Errorf("got %+v", f)
	}
	if f := s.frame(); f.ID != 4 || f.Resumed == nil || *f.Resumed != 1 {
		t.Errorf("got %+v", f)
	}
	w.store.Cut()
	w.write(model.Timeseries, 5, "t", 5)
	s.frame()
	old := s.last
	s.body.Close()
	w.write(model.Timeseries, 6, "t", 6)
	w.store.Cut()
	s = w.stream(h.Client(), h.URL, cmds, old)
	if f := s.frame(); f.Resync != "TOO_OLD" || f.Data["t"][0][1] != "6" {
		t.Errorf("got %+v", f)
	}
}

// All commands that have an answer have the same one here.
func TestEventsAreTheFramesOfTheSocket(t *testing.T) {
	w := newWorld(t, fixed)
	h := httptest.NewServer(w.eventDoor())
	defer h.Close()
	w.listen()
	const cmds = `[{"type":"ENTITY_COUNT","cmdId":1,"query":{"entityFilter":{"type":"entityType","entityType":"DEVICE"}}},
		{"type":"TIMESERIES_HISTORY","cmdId":2,"entityType":"DEVICE","entityId":"` + device + `","keys":"t","endTs":9},
		{"type":"ALARM_STATUS","cmdId":3,"originatorId":{"entityType":"DEVICE","id":"` + device + `"}},
		{"type":"TIMESERIES","cmdId":9,"entityType":"DEVICE","entityId":"ff4f394c-42b6-435a-983c-b7beff2784f9"}]`
	c := w.open()
	c.send(`{"cmds":` + cmds + `}`)
	s := w.stream(h.Client(), h.URL, cmds, "")
	for range 4 {
		if want, got := c.receive(), s.next(); got != (event{data: want}) {
			t.Errorf("got  %+v\nwant %s", got, want)
		}
	}
}

func TestAStreamOfEventsIsRefusedForWhatItAsks(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Limits.SessionsPerUser = 1 })
	h := httptest.NewServer(w.eventDoor())
	defer h.Close()
	f := func(cmds, last string, kind model.Kind, message string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+"?cmds="+url.QueryEscape(cmds), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Last-Event-ID", last)
		got, err := h.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		b, _ := io.ReadAll(got.Body)
		if got.StatusCode != 400+int(kind) || strings.TrimSpace(string(b)) != message {
			t.Errorf("%s: %d %s, want %d %s", cmds, got.StatusCode, b, kind, message)
		}
	}
	f("", "", model.Invalid, "cmds must be a list of commands")
	f(`{"authCmd":{}}`, "", model.Invalid, "cmds must be a list of commands")
	f(`[],"authCmd":{}`, "", model.Invalid, "cmds must be a list of commands")
	f("[]", "", model.Invalid, "cmds must hold 1 to 100 commands")
	f("["+strings.Repeat("{},", 100)+"{}]", "", model.Invalid, "cmds must hold 1 to 100 commands")
	f(strings.Repeat(" ", maxText+1), "", model.Invalid, "cmds of 32769 bytes exceeds the limit of 32768")
	f(`[{"type":"TIMESERIES","cmdId":-1}]`, "", model.Invalid, "Cmd id is negative value!")
	f(`[{"type":"ENTITY_DATA_UNSUBSCRIBE","cmdId":1}]`, "", model.Invalid, "A stream of events ends with its connection")
	f("["+eventSeries+"]", "3:x", model.Invalid, `Last-Event-ID is none of ours: "3:x"`)
	f("["+eventSeries+"]", "x", model.Invalid, `Last-Event-ID is none of ours: "x"`)

	s := w.stream(h.Client(), h.URL, "["+eventSeries+"]", "")
	s.next()
	f("["+eventSeries+"]", "", model.TooMany, "Max sessions limit reached!") // streams count as sockets
	w.valid.Store(false)
	w.server.Recheck()
	if e := s.next(); e.kind != "close" || e.data != `{"code":1008,"reason":"Session is no longer valid"}` {
		t.Errorf("got %+v", e)
	}
	if _, err := s.r.ReadByte(); err != io.EOF {
		t.Errorf("after its end: %v", err)
	}
}

// The newest of each key, and how many were left out: as for a socket. Whatever is merged, the
// id of an event is never ahead of what was told.
func TestASlowReaderOfEventsIsToldToo(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Limits.OutboxBytes = 8 << 10 })
	h := httptest.NewServer(w.eventDoor())
	defer h.Close()
	s := w.stream(h.Client(), h.URL, "["+eventSeries+"]", "")
	s.next()
	const writes = 20_000
	for i := range writes {
		w.write(model.Timeseries, int64(i), "t", fmt.Sprintf("%01000d", i))
	}
	sum := 0
	for last := -1; last < writes-1; {
		f := s.frame()
		n, err := strconv.Atoi(f.Data["t"][0][1].(string))
		if err != nil || n != last+1+f.Coalesced || !strings.HasSuffix(s.last, ":"+f.Position) {
			t.Fatalf("after %d came %d, %d left out, id %s of %s", last, n, f.Coalesced, s.last, f.Position)
		}
		last = n
		sum += f.Coalesced
	}
	if sum == 0 {
		t.Error("nothing was merged: the reader was not slow")
	}
}

// Over TLS a connection writes from a goroutine of its own.
func TestEventsOverTLS(t *testing.T) {
	w := newWorld(t, fixed)
	h := httptest.NewTLSServer(w.eventDoor())
	defer h.Close()
	s := w.stream(h.Client(), h.URL, "["+eventSeries+"]", "")
	s.next()
	for n := range 1000 {
		w.write(model.Timeseries, int64(n), "t", n)
	}
	for last := -1; last < 999; {
		f := s.frame()
		n, err := strconv.Atoi(f.Data["t"][0][1].(string))
		if err != nil || n != last+1+f.Coalesced {
			t.Fatalf("after %d came %+v", last, f)
		}
		last = n
	}
}

func TestASilentStreamBeatsEveryTenSecondsAndEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		p := newPipes()
		h := &http.Server{Handler: w.eventDoor()}
		go h.Serve(p)
		defer h.Close()
		transport := &http.Transport{DialContext: p.dial}
		defer transport.CloseIdleConnections()
		s := w.stream(&http.Client{Transport: transport}, "http://x", "["+eventSeries+"]", "")
		if e := s.next(); e.data == "" {
			t.Errorf("got %+v", e)
		}
		begun := time.Now()
		for i := 1; i <= 12; i++ {
			line, err := s.r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(line, ":") {
				if d := time.Since(begun); d < 9*time.Second || d > 12*time.Second {
					t.Errorf("beat %d after %v", i, d)
				}
				begun = time.Now()
			}
		}
		go func() { _ = w.server.Shutdown(t.Context()) }()
		for e := s.next(); ; e = s.next() {
			if e.kind == "close" && e.data == `{"code":1012,"reason":"Server is restarting"}` {
				break
			}
		}
	})
}

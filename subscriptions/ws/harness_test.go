package ws

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/entityquery"
	"github.com/tidewire/tidewire/internal/spectest"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/subscriptions/internal/twin"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(benchOrder); kind != "" {
		benchServer(kind)
	}
	// What libraries below the engine start when they are loaded is no leak of ours.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

const device = "784f394c-42b6-435a-983c-b7beff2784f9"

var (
	tenant   = model.TenantID{1}
	deviceID = func() model.EntityID { id, _ := model.ParseID(device); return model.EntityID(id) }()
)

const now = int64(1_700_000_000_000) // ms; what the server takes for the time, where a test says so

// A world is a server over the twin of the engine, with one device of one tenant.
type world struct {
	t       testing.TB
	store   *twin.Store
	hub     *subscriptions.Hub
	server  *Server
	url     string
	allowed atomic.Bool
	found   directory
	valid   atomic.Bool
}

// newWorld starts a server; change may adapt its dependencies.
func newWorld(t testing.TB, change func(*Deps)) *world {
	w := &world{t: t}
	w.allowed.Store(true)
	w.valid.Store(true)
	w.hub = subscriptions.New(subscriptions.Options{})
	w.store = twin.New(w.hub)
	w.hub.Start(w.store)
	d := Deps{
		Hub: w.hub,
		Verify: func(token string) (model.Principal, error) {
			if !strings.HasPrefix(token, "good") {
				return model.Principal{}, model.Errorf(model.Unauthenticated, "Authentication failed")
			}
			return model.Principal{Tenant: tenant, User: model.UserID{byte(len(token))}}, nil
		},
		Allow: func(p model.Principal, _ Access, ref model.EntityRef) (*model.Entity, error) {
			switch {
			case ref.ID[0] == 0xff:
				return nil, model.NotFoundf("Device with requested id wasn't found!")
			case ref.ID[0] == 0xee || !w.allowed.Load():
				return nil, model.Errorf(model.Denied, "You don't have permission to perform this operation!")
			}
			return &model.Entity{Tenant: p.Tenant, ID: ref.ID, Type: ref.Type}, nil
		},
		Current: func(p model.Principal) (model.Principal, error) {
			if !w.valid.Load() {
				return p, model.Errorf(model.Unauthenticated, "gone")
			}
			return p, nil
		},
	}
	w.found.m = map[model.EntityID]*model.Entity{deviceID: {Tenant: tenant, ID: deviceID, Type: model.EntityDevice, Name: "Pump 7", Created: 7}}
	d.Entities = entityquery.New(entityquery.Options{
		Directory: &w.found, Guard: &w.found, Relations: &w.found, Records: &w.found, Store: columnless{w.store},
		Text: thingsboard.AppendText, Now: func() time.Time { return time.UnixMilli(now) },
	})
	if change != nil {
		change(&d)
	}
	w.server = New(d)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = w.server.Shutdown(ctx) // clients that never answer are cut
		w.hub.Close()
	})
	return w
}

// listen serves on a real socket.
func (w *world) listen() *world {
	h := httptest.NewServer(w.server)
	w.t.Cleanup(h.Close)
	w.url = "ws" + strings.TrimPrefix(h.URL, "http")
	return w
}

// A client is a stock one.
type client struct {
	t  testing.TB
	ws *websocket.Conn
}

func (w *world) dial(path string) *client {
	w.t.Helper()
	c, _, err := websocket.Dial(w.t.Context(), w.url+path, &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	if err != nil {
		w.t.Fatal(err)
	}
	c.SetReadLimit(-1)
	w.t.Cleanup(func() { c.CloseNow() })
	return &client{w.t, c}
}

// open dials with a good token.
func (w *world) open() *client { w.t.Helper(); return w.dial("/api/ws?token=good") }

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.ws.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) receive() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	_, b, err := c.ws.Read(ctx)
	if err != nil {
		c.t.Fatalf("no frame: %v", err)
	}
	spectest.Frame(c.t, b)
	return string(b)
}

// want reads a frame that must be exactly that.
func (c *client) want(frame string) {
	c.t.Helper()
	if got := c.receive(); got != frame {
		c.t.Errorf("got  %s\nwant %s", got, frame)
	}
}

// wantData reads a frame of a subscription with that data and latestValues.
func (c *client) wantData(id int, data, latest string) {
	c.t.Helper()
	c.want(dataFrame(id, data, latest))
}

func dataFrame(id int, data, latest string) string {
	return fmt.Sprintf(`{"subscriptionId":%d,"errorCode":0,"errorMsg":null,"data":%s,"latestValues":%s}`, id, data, latest)
}

func (c *client) wantError(id, code int, message string) {
	c.t.Helper()
	c.want(fmt.Sprintf(`{"subscriptionId":%d,"errorCode":%d,"errorMsg":%q,"data":{},"latestValues":{}}`, id, code, message))
}

// wantClose reads until the socket is closed with code.
func (c *client) wantClose(code websocket.StatusCode) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, _, err := c.ws.Read(ctx); err != nil {
			if got := websocket.CloseStatus(err); got != code {
				c.t.Errorf("closed with %d (%v), want %d", got, err, code)
			}
			return
		}
	}
}

// subscribe sends one typed command about the device.
func (c *client) subscribe(kind string, id int, members string) {
	c.t.Helper()
	if members != "" {
		members = "," + members
	}
	c.send(fmt.Sprintf(`{"cmds":[{"type":%q,"cmdId":%d,"entityType":"DEVICE","entityId":%q%s}]}`, kind, id, device, members))
}

// write stores one row of integers, key by key.
func (w *world) write(scope model.Scope, ts int64, keysAndValues ...any) {
	set := &model.WriteSet{Tenant: tenant, Entity: deviceID, Scope: scope}
	for i := 0; i < len(keysAndValues); i += 2 {
		set.Cells = append(set.Cells, model.Cell{Key: i / 2, Value: value(keysAndValues[i+1])})
		set.Keys = append(set.Keys, keysAndValues[i].(string))
	}
	set.Rows = []model.Row{{TS: ts, Cells: len(set.Cells)}}
	w.store.Append(set)
}

func value(v any) model.Value {
	switch v := v.(type) {
	case int:
		return model.Int(int64(v))
	case float64:
		return model.Float(v)
	case bool:
		return model.Bool(v)
	case string:
		return model.String(v)
	}
	return model.Null()
}

// fixed makes the server's clock stand still.
func fixed(d *Deps) { d.Now = func() time.Time { return time.UnixMilli(now) } }

// A pipes is a listener of in-memory connections, which a synctest bubble can wait for.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	a, b := net.Pipe()
	p.conns <- a
	return b, nil
}

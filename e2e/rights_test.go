package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/internal/spectest"
)

// A listener is a socket with one subscription to one device.
type listener struct {
	t    *testing.T
	ctx  context.Context
	conn *websocket.Conn
}

func (s *server) listen(ctx context.Context, token, id string) *listener {
	s.t.Helper()
	return s.listenAt(ctx, "/api/ws?token="+token, "", id)
}

// listenWithKey shows an API key in the first message.
func (s *server) listenWithKey(ctx context.Context, key, id string) *listener {
	s.t.Helper()
	return s.listenAt(ctx, "/api/ws", fmt.Sprintf(`"authCmd":{"cmdId":0,"apiKey":%q},`, key), id)
}

func (s *server) listenAt(ctx context.Context, path, login, id string) *listener {
	s.t.Helper()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.url, "http")+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.CloseNow() })
	l := &listener{s.t, ctx, conn}
	command := fmt.Sprintf(`{%s"cmds":[{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":%q}]}`, login, id)
	if err := conn.Write(ctx, websocket.MessageText, []byte(command)); err != nil {
		s.t.Fatal(err)
	}
	if code, message := l.next(); code != 0 {
		s.t.Fatalf("the first frame is error %d %s", code, message)
	}
	return l
}

// next reads a frame and returns its error.
func (l *listener) next() (code int, message string) {
	l.t.Helper()
	_, b, err := l.conn.Read(l.ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	spectest.Frame(l.t, b)
	var f struct {
		ErrorCode int
		ErrorMsg  string
	}
	if err := json.Unmarshal(b, &f); err != nil {
		l.t.Fatal(err)
	}
	return f.ErrorCode, f.ErrorMsg
}

// refused waits for the error frame that ends the subscription. The socket stays.
func (l *listener) refused(what string) {
	l.t.Helper()
	if code, message := l.next(); code != 1 || message == "" {
		l.t.Errorf("%s: told %d %q", what, code, message)
	}
}

// closed waits for the end of the socket.
func (l *listener) closed(what string) {
	l.t.Helper()
	if _, b, err := l.conn.Read(l.ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		l.t.Errorf("%s: %s, %v, want close code 1008", what, b, err)
	}
}

// Whatever takes a right away reaches the sockets that are open: the subscription ends, and with
// the login the socket. That it takes less than five seconds is proven on the clock of a test, in
// subscriptions/ws.
func TestRightsThatGoReachOpenSockets(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, _, _ := s.demoAdmin()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	type entity struct{ ID struct{ ID string } }
	customer := func(name string) string {
		var e entity
		admin.json(http.MethodPost, "/api/customer", fmt.Sprintf(`{"title":%q}`, name), &e)
		return e.ID.ID
	}
	one, two := customer("one"), customer("two")
	user := func(email, customer string) (id string, c *client) {
		var e entity
		admin.json(http.MethodPost, "/api/user?sendActivationMail=false", fmt.Sprintf(
			`{"email":%q,"authority":"CUSTOMER_USER","customerId":{"entityType":"CUSTOMER","id":%q}}`, email, customer), &e)
		status, link := admin.do(http.MethodGet, "/api/user/"+e.ID.ID+"/activationLink", "", "")
		at, err := url.Parse(link)
		if status != http.StatusOK || err != nil {
			t.Fatalf("activation link %d %s: %v", status, link, err)
		}
		nobody := &client{t: t, url: s.url}
		nobody.json(http.MethodPost, "/api/noauth/activate", fmt.Sprintf(
			`{"activateToken":%q,"password":"quite long enough"}`, at.Query().Get("activateToken")), nil)
		return e.ID.ID, s.login(email, "quite long enough")
	}
	id, _ := admin.device("watched")
	assign := func(to string) {
		admin.json(http.MethodPost, "/api/customer/"+to+"/device/"+id, "", nil)
	}
	do := func(method, path string) {
		t.Helper()
		if status, text := admin.do(method, path, "", ""); status != http.StatusOK {
			t.Fatalf("%s %s = %d %s", method, path, status, text)
		}
	}
	userID, customerUser := user("one@example.org", one)

	assign(one)
	l := s.listen(ctx, customerUser.token, id)
	do(http.MethodDelete, "/api/customer/device/"+id)
	l.refused("unassigned")

	assign(one)
	l = s.listen(ctx, customerUser.token, id)
	assign(two)
	l.refused("assigned to another customer")

	assign(one)
	l = s.listen(ctx, customerUser.token, id)
	do(http.MethodPost, "/api/user/"+userID+"/userCredentialsEnabled?userCredentialsEnabled=false")
	l.closed("user disabled")
	do(http.MethodPost, "/api/user/"+userID+"/userCredentialsEnabled?userCredentialsEnabled=true")

	customerUser = s.login("one@example.org", "quite long enough")
	l = s.listen(ctx, customerUser.token, id)
	do(http.MethodDelete, "/api/user/"+userID+"/sessions")
	l.closed("sessions revoked")

	customerUser = s.login("one@example.org", "quite long enough")
	l = s.listen(ctx, customerUser.token, id)
	customerUser.json(http.MethodPost, "/api/auth/logout", "", nil)
	l.closed("logged out")

	customerUser = s.login("one@example.org", "quite long enough")
	l = s.listen(ctx, customerUser.token, id)
	key := func() (at, value string) {
		var k struct {
			entity
			Value string
		}
		customerUser.json(http.MethodPost, "/api/apiKey", fmt.Sprintf(`{"userId":{"entityType":"USER","id":%q},"description":"bridge"}`, userID), &k)
		return "/api/apiKey/" + k.ID.ID, k.Value
	}
	at, value := key()
	inURL, inCommand := s.listen(ctx, value, id), s.listenWithKey(ctx, value, id)
	do(http.MethodPut, at+"/enabled/false")
	inURL.closed("key disabled")
	inCommand.closed("key disabled")
	do(http.MethodPut, at+"/enabled/true")
	inURL = s.listen(ctx, value, id)
	do(http.MethodDelete, at)
	inURL.closed("key deleted")
	_, value = key()
	inURL = s.listen(ctx, value, id)
	do(http.MethodDelete, "/api/user/"+userID)
	l.closed("user deleted")
	inURL.closed("user of a key deleted")

	var program struct {
		Token string
		Info  struct{ ID string }
	}
	for _, end := range []string{"", "all"} {
		admin.json(http.MethodPost, "/api/tokens", `{"name":"reads","scopes":["read:telemetry"]}`, &program)
		l = s.listen(ctx, program.Token, id)
		if end == "all" {
			do(http.MethodDelete, "/api/tokens")
		} else {
			do(http.MethodDelete, "/api/tokens/"+program.Info.ID)
		}
		l.closed("token revoked " + end)
	}

	l = s.listen(ctx, admin.token, id)
	do(http.MethodDelete, "/api/device/"+id)
	for { // what is erased may be told before
		if code, _ := l.next(); code == 1 {
			break
		}
	}
}

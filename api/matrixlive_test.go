package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/internal/spectest"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/subscriptions/ws"
)

const ownedOnly = `"query":{"entityFilter":{"type":"entityType","entityType":"DEVICE"},"pageLink":{"pageSize":9},"keyFilters":[{"key":{"type":"ENTITY_FIELD","key":"name"},` +
	`"valueType":"STRING","predicate":{"type":"STRING","operation":"EQUAL","value":{"defaultValue":"owned"}}}],"entityFields":[{"type":"ENTITY_FIELD","key":"name"}]}`

// commands has what each type of command asks for, beside type and cmdId.
var commands = map[string]string{
	"TIMESERIES":         `"entityType":"DEVICE","entityId":"{owned}"`,
	"TIMESERIES_HISTORY": `"entityType":"DEVICE","entityId":"{owned}","keys":"t","startTs":0,"endTs":9`,
	"ATTRIBUTES":         `"entityType":"DEVICE","entityId":"{owned}"`,
	"ENTITY_DATA":        ownedOnly,
	"ENTITY_COUNT":       ownedOnly,
	"ALARM_DATA":         ownedOnly,
	"ALARM_COUNT":        ownedOnly,
	"ALARM_STATUS":       `"originatorId":{"entityType":"DEVICE","id":"{owned}"}`,

	"NOTIFICATIONS":                  `"limit":5`,
	"NOTIFICATIONS_COUNT":            ``,
	"MARK_NOTIFICATIONS_AS_READ":     `"notifications":["{owned}"]`,
	"MARK_ALL_NOTIFICATIONS_AS_READ": ``,
	"ENTITY_DATA_UNSUBSCRIBE":        ``,
	"ENTITY_COUNT_UNSUBSCRIBE":       ``,
	"ALARM_DATA_UNSUBSCRIBE":         ``,
	"ALARM_COUNT_UNSUBSCRIBE":        ``,
	"ALARM_STATUS_UNSUBSCRIBE":       ``,
	"NOTIFICATIONS_UNSUBSCRIBE":      ``,
}

// live serves sockets over the world's own parts.
func (w *world) live() (url string) {
	w.t.Helper()
	guard := auth.NewGuard(w.registry)
	hub := subscriptions.New(subscriptions.Options{})
	hub.Start(w.db)
	sockets := ws.New(ws.Deps{
		Hub: hub, Verify: w.auth.Verify, Current: w.auth.Current, Window: w.registry.Window, Now: w.clock.now,
		Entities: api.NewFinder(w.registry, guard, w.db, w.clock.now),
		Allow: func(p model.Principal, a ws.Access, ref model.EntityRef) (*model.Entity, error) {
			return guard.Allow(p, map[ws.Access]auth.Op{ws.ReadTelemetry: auth.ReadTelemetry, ws.ReadAttributes: auth.ReadAttributes}[a], ref)
		},
	})
	server := httptest.NewServer(sockets)
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		check(w.t, sockets.Shutdown(ctx))
		server.Close()
		hub.Close()
	})
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/api/ws"
}

// asks opens a socket with a token and sends each command with one behind it whose answer is
// known, so that silence is seen. It returns what each command got, or the close code for all.
func (w *world) asks(url, token string, kinds []string, names *strings.Replacer) map[string]string {
	t := w.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, url, nil)
	check(t, err)
	defer func() { _ = socket.CloseNow() }()
	got := map[string]string{}
	check(t, socket.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"authCmd":{"cmdId":0,"token":%q},"cmds":[]}`, token)))
	const barrier = 1000
	for i, kind := range kinds {
		parts := names.Replace(commands[kind])
		if parts != "" {
			parts = "," + parts
		}
		message := fmt.Appendf(nil, `{"cmds":[{"type":%q,"cmdId":%d%s},{"type":"TIMESERIES_HISTORY","cmdId":%d,"entityType":"DEVICE","entityId":"x","keys":""}]}`, kind, i+1, parts, barrier+i)
		// What is sent here is what the document offers; the barrier is not.
		live, err := spectest.AsyncAPI()
		check(t, err)
		check(t, live.VerifyCommands(fmt.Appendf(nil, `{"cmds":[{"type":%q,"cmdId":%d%s}]}`, kind, i+1, parts)))
		if socket.Write(ctx, websocket.MessageText, message) != nil {
			got[kind] = "closed" // the reader below says why
		}
		got[kind] = "-"
		for {
			_, text, err := socket.Read(ctx)
			if err != nil {
				for _, kind := range kinds {
					got[kind] = fmt.Sprint(int(websocket.CloseStatus(err)))
				}
				return got
			}
			spectest.Frame(t, text)
			var f struct {
				SubscriptionID, CmdID, ErrorCode int
				Count, TotalEntities             *int
				Data                             struct{ TotalElements *int }
			}
			check(t, json.Unmarshal(text, &f))
			id := f.SubscriptionID
			if id == 0 {
				id = f.CmdID
			}
			if id == barrier+i {
				break
			}
			if id != i+1 {
				continue // an update of an earlier one
			}
			got[kind] = "ok"
			for _, n := range []*int{f.Count, f.TotalEntities, f.Data.TotalElements} {
				if n != nil && got[kind] == "ok" {
					got[kind] = fmt.Sprintf("ok:%d", *n)
				}
			}
			if f.ErrorCode != 0 {
				got[kind] = fmt.Sprintf("e%d", f.ErrorCode)
			}
		}
	}
	return got
}

// Every command is sent by every caller. Commands are those of asyncapi.yaml, which another test
// holds against the table of those that the server reads.
func TestMatrixOfCommands(t *testing.T) {
	w := newWorld(t)
	w.save(`{"ts":5,"values":{"t":1}}`)
	live, err := spectest.AsyncAPI()
	check(t, err)
	kinds := slices.Sorted(maps.Keys(live.Commands()))
	for _, kind := range kinds {
		if _, ok := commands[kind]; !ok {
			t.Errorf("%s has no row in commands: say what to ask it for", kind)
		}
	}
	url, names := w.live(), w.names()
	public := w.publicNames(names)
	got := matrix{}
	for _, c := range callers {
		with := names
		if c.name == "public" {
			with = public
		}
		answers := map[string]map[string]bool{}
		for _, token := range w.present(c) {
			for kind, answer := range w.asks(url, token, kinds, with) {
				if answers[kind] == nil {
					answers[kind] = map[string]bool{}
				}
				answers[kind][answer] = true
			}
		}
		for _, kind := range kinds {
			got["WS "+kind] = append(got["WS "+kind], strings.Join(slices.Sorted(maps.Keys(answers[kind])), "/"))
		}
	}
	if *updateMatrix {
		got.write(t, isCommand)
		return
	}
	got.compare(t, readMatrix(t), isCommand)
}

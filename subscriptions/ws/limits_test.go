package ws

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// profile makes the limits those of every tenant.
func profile(l *model.TenantLimits) func(*Deps) {
	return func(d *Deps) {
		fixed(d)
		d.TenantLimits = func(model.TenantID) *model.TenantLimits { return l }
	}
}

func rated(t testing.TB, limit model.RateLimit, text string) *model.TenantLimits {
	t.Helper()
	r, err := model.ParseRates(text)
	if err != nil {
		t.Fatal(err)
	}
	l := &model.TenantLimits{HasRates: true}
	l.Rates[limit] = r
	return l
}

// Contract 11.4, and better: what is kept back is merged and told later.
func TestUpdatesBeyondTheLimitAreToldOnceAndMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(d *Deps) { profile(rated(t, model.SessionUpdates, "3:6"))(d); d.Now = nil })
		dial, stop := bubble(t, w)
		defer stop()
		c := dial("/api/ws?token=good")
		c.subscribe("TIMESERIES", 1, "")
		c.wantData(1, `{}`, `{}`)
		c.subscribe("TIMESERIES", 2, `"keys":"b"`)
		c.want(dataFrame(2, fmt.Sprintf(`{"b":[[%d,null]]}`, time.Now().UnixMilli()), fmt.Sprintf(`{"b":%d}`, time.Now().UnixMilli())))
		for i := 1; i <= 6; i++ {
			w.write(model.Timeseries, int64(i), "a", i)
			synctest.Wait()
		}
		for i := 1; i <= 3; i++ {
			c.wantData(1, fmt.Sprintf(`{"a":[[%d,"%d"]]}`, i, i), fmt.Sprintf(`{"a":%d}`, i))
		}
		c.wantError(1, 34, "Too many updates!")
		w.write(model.Timeseries, 7, "b", 7)
		synctest.Wait()
		// One every 2 s from now on: the merged updates of one subscription after the other.
		begun := time.Now()
		c.want(`{"subscriptionId":1,"errorCode":0,"errorMsg":null,"data":{"a":[[6,"6"]],"b":[[7,"7"]]},"latestValues":{"a":6,"b":7},"coalesced":2}`)
		if d := time.Since(begun); d < time.Second || d > 3*time.Second {
			t.Errorf("after %s", d)
		}
		c.wantData(2, `{"b":[[7,"7"]]}`, `{"b":7}`)
		time.Sleep(6 * time.Second)
		w.write(model.Timeseries, 8, "a", 8)
		c.wantData(1, `{"a":[[8,"8"]]}`, `{"a":8}`)
		c.ws.Close(websocket.StatusNormalClosure, "")
		synctest.Wait()
	})
}

// Merging what was kept back forgets no scope: a removal says nothing of what others hold.
func TestWhatIsMergedOfAttributesIsStillTheNewestOfTheirScopes(t *testing.T) {
	for _, kind := range []string{"ATTRIBUTES", "ENTITY_DATA"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(d *Deps) { profile(rated(t, model.SessionUpdates, "1:2"))(d); d.Now = nil })
			dial, stop := bubble(t, w)
			defer stop()
			w.write(model.Server, 1, "du", 1)
			w.write(model.Shared, 2, "du", 2)
			c := dial("/api/ws?token=good")
			if kind == "ATTRIBUTES" {
				c.subscribe(kind, 1, `"keys":"du"`)
			} else {
				c.entityData(1, pumps+`,"latestCmd":{"keys":[{"type":"ATTRIBUTE","key":"du"}]}`)
			}
			c.receive()
			w.write(model.Client, 3, "du", 3)
			c.receive()
			for _, scope := range []model.Scope{model.Client, model.Shared} {
				w.store.Delete(tenant, deviceID, scope, "du")
				synctest.Wait()
			}
			w.write(model.Client, 4, "du", 4)
			w.store.Delete(tenant, deviceID, model.Server, "du")
			if f := c.receive(); !strings.Contains(f, "Too many updates!") {
				t.Errorf("got %s", f)
			}
			if kind == "ATTRIBUTES" {
				c.want(`{"subscriptionId":1,"errorCode":0,"errorMsg":null,"data":{"du":[[4,"4"]]},"latestValues":{"du":4},"coalesced":2}`)
			} else if f := c.receive(); !strings.Contains(f, `"latest":{"ATTRIBUTE":{"du":{"ts":4,"value":"4"}}}`) || !strings.Contains(f, `"coalesced":2`) {
				t.Errorf("got %s", f)
			}
			c.ws.Close(websocket.StatusNormalClosure, "")
			synctest.Wait()
		})
	}
}

func TestWhatIsHeldForAnAnswerIsMergedScopeByScope(t *testing.T) {
	f := &follower{permit: &permit{kind: model.AttributeKey}}
	for i := range 2 * heldPoints {
		f.hold([]subscriptions.Update{{Position: model.Position(i), Scope: model.AttributeScopes[i%3], Points: []subscriptions.Point{{Key: "du", TS: int64(i), Value: model.Int(int64(i))}}}})
	}
	f.hold([]subscriptions.Update{{Position: 3 * heldPoints, Scope: model.Server, Points: []subscriptions.Point{{Key: "du"}}}})
	kept, _ := sift(f.pending, f.isNews)
	if last := kept[len(kept)-1].Points[0]; f.waiting > heldPoints || last.TS != 2*heldPoints-2 { // behind it stands what the server removed
		t.Errorf("%d points are held, and %d is shown in the end", f.waiting, last.TS)
	}
}

// What is kept back ends with its subscription.
func TestNothingIsKeptBackForASubscriptionThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(d *Deps) { profile(rated(t, model.SessionUpdates, "1:2"))(d); d.Now = nil })
		dial, stop := bubble(t, w)
		defer stop()
		c := dial("/api/ws?token=good")
		c.subscribe("TIMESERIES", 1, "")
		c.wantData(1, `{}`, `{}`)
		for i := 1; i <= 3; i++ {
			w.write(model.Timeseries, int64(i), "a", i)
			synctest.Wait()
		}
		c.wantData(1, `{"a":[[1,"1"]]}`, `{"a":1}`)
		c.wantError(1, 34, "Too many updates!")
		c.subscribe("TIMESERIES", 1, `"unsubscribe":true`)
		synctest.Wait()
		time.Sleep(6 * time.Second)
		c.subscribe("TIMESERIES", 2, "")
		c.wantData(2, `{"a":[[3,"3"]]}`, `{"a":3}`)
		c.ws.Close(websocket.StatusNormalClosure, "")
		synctest.Wait()
	})
}

func TestCommandsAreLimitedOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, profile(rated(t, model.SessionCommands, "2:60")))
		dial, stop := bubble(t, w)
		defer stop()
		c := dial("/api/ws?token=good")
		for id := 1; id <= 2; id++ {
			c.subscribe("TIMESERIES", id, "")
			c.wantData(id, `{}`, `{}`)
		}
		c.subscribe("TIMESERIES", 3, "")
		c.wantError(3, 2, "Too many commands for current session!")
		c.subscribe("TIMESERIES", 1, `"unsubscribe":true`) // what ends something is never refused
		synctest.Wait()
		w.write(model.Timeseries, 1, "a", 1)
		c.wantData(2, `{"a":[[1,"1"]]}`, `{"a":1}`)
		other := dial("/api/ws?token=good") // a session counts its own
		other.subscribe("TIMESERIES", 1, "")
		other.wantData(1, `{"a":[[1,"1"]]}`, `{"a":1}`)
		for _, c := range []*client{c, other} {
			c.ws.Close(websocket.StatusNormalClosure, "")
		}
		synctest.Wait()
	})
}

// Commands that arrive on many sockets at once are let through as one after the other.
func TestCommandsThatComeAtOnceDoNotPassALimitTogether(t *testing.T) {
	const sockets, limit = 16, 5
	l := &model.TenantLimits{Subscriptions: model.SocketLimits{Tenant: limit}}
	w := newWorld(t, profile(l)).listen()
	var all []*client
	for range sockets {
		all = append(all, w.open())
	}
	for round := range 20 {
		var done sync.WaitGroup
		begin := make(chan struct{})
		var let, refused atomic.Int64
		for i, c := range all {
			done.Go(func() {
				<-begin
				kind := `{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":"` + device + `"}`
				if i%2 == 1 {
					kind = `{"type":"ENTITY_COUNT","cmdId":1,"query":{` + devices + `}}`
				}
				if c.ws.Write(t.Context(), websocket.MessageText, []byte(`{"cmds":[`+kind+`]}`)) != nil {
					t.Error("not sent")
				}
				if _, _, err := c.ws.Read(t.Context()); err == nil {
					let.Add(1)
				} else if websocket.CloseStatus(err) == 1008 {
					refused.Add(1)
				}
			})
		}
		close(begin)
		done.Wait()
		if let.Load() != limit || refused.Load() != sockets-limit {
			t.Fatalf("round %d: %d were let through and %d refused, want %d and %d", round, let.Load(), refused.Load(), limit, sockets-limit)
		}
		for i, c := range all {
			c.ws.CloseNow()
			all[i] = nil
		}
		for w.server.Sessions() > 0 {
			<-time.After(time.Millisecond)
		}
		for i := range all {
			all[i] = w.open()
		}
	}
	p, _ := w.server.deps.Verify("good")
	if have := w.server.subscribed(p); have.tenant != 0 {
		t.Errorf("%d are counted in the end", have.tenant)
	}
}

// Contract 11.2, 17: each limit of sockets and subscriptions closes with 1008.
func TestProfilesLimitSessionsAndSubscriptions(t *testing.T) {
	// Users a and b are of one customer, c of another, p and q hold the public link of a third.
	who := func(token string) (model.Principal, error) {
		p := model.Principal{Tenant: tenant, Authority: model.CustomerUser, User: model.UserID{token[0]}, Customer: model.CustomerID{1}}
		switch token[0] {
		case 'c':
			p.Customer = model.CustomerID{2}
		case 'p', 'q':
			p.User, p.Customer, p.Public = model.UserID{}, model.CustomerID{3}, true
		}
		return p, nil
	}
	for name, x := range map[string]struct {
		limits    model.SocketLimits
		let       string // of whom a socket or subscription each is let through, in this order
		refused   string // who is refused then
		stillOpen string // who is not
	}{
		"tenant":   {model.SocketLimits{Tenant: 3}, "acp", "abcpq", ""},
		"customer": {model.SocketLimits{Customer: 2}, "ab", "ab", "cp"},
		"user":     {model.SocketLimits{User: 1}, "ab", "ab", "cpq"},
		"public":   {model.SocketLimits{Public: 2}, "pq", "pq", "ac"},
	} {
		for _, subscriptions := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/subscriptions=%v", name, subscriptions), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := &model.TenantLimits{Sessions: x.limits}
					if subscriptions {
						l = &model.TenantLimits{Subscriptions: x.limits}
					}
					w := newWorld(t, func(d *Deps) { profile(l)(d); d.Verify = who })
					dial, stop := bubble(t, w)
					defer stop()
					var all []*client
					try := func(who rune) *client {
						c := dial("/api/ws?token=" + string(who))
						c.subscribe("TIMESERIES", 1, "")
						all = append(all, c)
						return c
					}
					var open *client
					for _, who := range x.let {
						open = try(who)
						open.wantData(1, `{}`, `{}`)
						synctest.Wait() // it is counted once its frame was sent
					}
					for _, who := range x.refused {
						try(who).wantClose(1008)
					}
					for _, who := range x.stillOpen {
						try(who).wantData(1, `{}`, `{}`)
					}
					used := false
					p, _ := who(x.let)
					for _, u := range w.server.Use(p, nil) {
						used = used || strings.HasPrefix(u.Name, "maxWs") && u.Used > 0 && u.Used <= u.Limit
					}
					if !used {
						t.Errorf("no limit is said to be used: %+v", w.server.Use(p, nil))
					}
					if open.subscribe("TIMESERIES", 1, ""); subscriptions { // replaces
						open.wantData(1, `{}`, `{}`)
					}
					for _, c := range all {
						c.ws.CloseNow()
					}
					synctest.Wait()
				})
			})
		}
	}
}

// A profile that is changed counts for open sockets too, when rights are asked again.
func TestAChangedLimitReachesOpenSockets(t *testing.T) {
	var now atomic.Pointer[model.TenantLimits]
	now.Store(new(model.TenantLimits))
	w := newWorld(t, func(d *Deps) {
		fixed(d)
		d.TenantLimits = func(model.TenantID) *model.TenantLimits { return now.Load() }
	}).listen()
	c := w.open()
	c.subscribe("TIMESERIES", 1, "")
	c.wantData(1, `{}`, `{}`)
	now.Store(rated(t, model.SessionUpdates, "1:60"))
	w.server.recheckAll()
	w.write(model.Timeseries, 1, "a", 1)
	c.wantData(1, `{"a":[[1,"1"]]}`, `{"a":1}`)
	w.write(model.Timeseries, 2, "a", 2)
	c.wantError(1, 34, "Too many updates!")
}

package ws

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/model"
)

// Every number of contract 11 and 17 that bounds a socket, against a clock that only tests move.
// Those of REST are in package api.
func TestNumbersOfSockets(t *testing.T) {
	for _, x := range []struct {
		number string
		holds  func(*testing.T, *world, func(path string) *client)
	}{
		{"10 s to log in", func(t *testing.T, _ *world, dial func(string) *client) {
			c := dial("/api/ws")
			takes(t, 10*time.Second, func() { c.wantCloseLate(1008) })
		}},
		{"10 s of silence until a ping, 30 s until it is given up", func(t *testing.T, w *world, _ func(string) *client) {
			nc, stop := bubbled(t, w)
			defer stop()
			defer nc.Close()
			begun := time.Now()
			c := handshake(t, nc, "")
			for _, want := range []time.Duration{10 * time.Second, 20 * time.Second} {
				if op, _ := c.next(t); op != 0x89 || time.Since(begun).Round(2*time.Second) != want {
					t.Errorf("got %x after %v, want a ping after %v", op, time.Since(begun), want)
				}
			}
			takes(t, 10*time.Second, func() {
				if op, payload := c.next(t); op != 0x88 || !strings.HasPrefix(payload, "\x11\x94") { // 4500
					t.Errorf("got %x %q", op, payload)
				}
			})
		}},
		{"5 s for a send", func(t *testing.T, w *world, dial func(string) *client) {
			c := dial("/api/ws?token=good")
			c.subscribe("TIMESERIES", 1, "")
			c.receive()
			w.write(model.Timeseries, 1, "t", strings.Repeat("x", 100_000)) // over a pipe nobody reads
			takes(t, 5*time.Second, func() {
				for w.server.Sessions() > 0 {
					<-time.After(100 * time.Millisecond)
				}
			})
		}},
		{"a queue of more than 1,000 frames closes nothing", func(t *testing.T, w *world, dial func(string) *client) {
			c := dial("/api/ws?token=good")
			c.subscribe("TIMESERIES", 1, "")
			c.receive()
			for i := range 1100 {
				w.write(model.Timeseries, int64(i), "t", i)
			}
			synctest.Wait()
			for told := 0; told < 1100; {
				f := parse(t, c.receive())
				told += len(f.Data["t"]) + f.Coalesced
			}
		}},
		{"32,768 bytes of a message", func(t *testing.T, _ *world, dial func(string) *client) {
			c := dial("/api/ws?token=good")
			const command = `{"cmds":[{"type":"ALARM_COUNT","cmdId":99,"query":{}}]}`
			c.send(command + strings.Repeat(" ", 32768-len(command)))
			c.receive()
			c.send(command + strings.Repeat(" ", 32769-len(command)))
			c.wantClose(1009)
		}},
		{"700 buckets", func(t *testing.T, _ *world, dial func(string) *client) {
			c := dial("/api/ws?token=good")
			for _, kind := range []string{"TIMESERIES", "TIMESERIES_HISTORY"} {
				c.subscribe(kind, 1, `"keys":"t","startTs":1,`+windowOf(kind, 700_999)+`"interval":1000,"agg":"AVG"`)
				c.wantData(1, `{}`, `{}`)
				c.subscribe(kind, 2, `"keys":"t","startTs":1,`+windowOf(kind, 701_000)+`"interval":1000,"agg":"AVG"`)
				if f := c.change(); f.Error != 2 {
					t.Errorf("701 buckets of %s: %+v", kind, f)
				}
			}
			part := func(window int) string {
				return fmt.Sprintf(`%s,"tsCmd":{"keys":["t"],"startTs":0,"timeWindow":%d,"agg":"SUM","interval":1000}`, pumps, window)
			}
			c.entityData(3, part(700_999))
			if f := c.change(); f.Error != 0 {
				t.Errorf("700 buckets: %+v", f)
			}
			c.entityData(4, part(701_000))
			if f := c.change(); f.Error != 2 {
				t.Errorf("701 buckets: %+v", f)
			}
		}},
		{"100 points of a key without a limit", func(t *testing.T, w *world, dial func(string) *client) {
			for i := range 101 {
				w.write(model.Timeseries, int64(i+1), "t", i)
			}
			c := dial("/api/ws?token=good")
			c.subscribe("TIMESERIES_HISTORY", 1, `"keys":"t","startTs":1,"endTs":1000`)
			if f := parse(t, c.receive()); len(f.Data["t"]) != 100 || f.Data["t"][0][1] != "100" {
				t.Errorf("%d points, the first %v", len(f.Data["t"]), f.Data["t"][0])
			}
			c.entityData(2, pumps+`,"tsCmd":{"keys":["t"],"startTs":1,"timeWindow":1000}`)
			if f := c.change(); len(f.Data.Data[0].Timeseries["t"]) != 100 {
				t.Errorf("%d points", len(f.Data.Data[0].Timeseries["t"]))
			}
		}},
		{"60 s until a dynamic page and a count are asked again", func(t *testing.T, w *world, dial func(string) *client) {
			c := dial("/api/ws?token=good")
			c.entityData(1, strings.Replace(pumps, `"page":0`, `"page":0,"dynamic":true`, 1))
			c.receive()
			c.send(`{"cmds":[{"type":"ENTITY_COUNT","cmdId":2,"query":{` + devices + `}}]}`)
			c.receive()
			w.found.add(second, "Pump 8")
			takes(t, 60*time.Second, func() {
				for range 2 {
					if _, _, err := c.ws.Read(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			})
		}},
		{"10,000 entities of a query", func(t *testing.T, w *world, dial func(string) *client) {
			for i := range 10_001 {
				w.found.add(model.EntityID{9, byte(i >> 8), byte(i)}, "x")
			}
			c := dial("/api/ws?token=good")
			c.ws.SetReadLimit(-1)
			c.entityData(1, `"query":{`+devices+`,`+strings.Replace(byName, `"pageSize":10`, `"pageSize":16384`, 1)+`}`)
			_, b, err := c.ws.Read(context.Background())
			if n := strings.Count(string(b), `"entityId":`); err != nil || n != 10_000 || !strings.Contains(string(b), `"totalPages":2,"totalElements":10002,`) {
				t.Errorf("%d entities, %v", n, err)
			}
		}},
		{"4 s until rights are asked again, of 5", func(t *testing.T, w *world, dial func(string) *client) {
			c := dial("/api/ws?token=good")
			c.subscribe("TIMESERIES", 1, "")
			c.receive()
			w.allowed.Store(false)
			begun := time.Now()
			c.receive()
			if d := time.Since(begun); d > 5*time.Second {
				t.Errorf("after %v", d)
			}
		}},
	} {
		t.Run(x.number, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				dial, stop := bubble(t, w)
				x.holds(t, w, dial)
				if err := w.server.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				stop()
			})
		})
	}
}

// takes says that do takes so long, give or take the seconds in which the server looks.
func takes(t *testing.T, want time.Duration, do func()) {
	t.Helper()
	begun := time.Now()
	do()
	if d := time.Since(begun); d < want || d > want+2*time.Second {
		t.Errorf("after %v, want %v", d, want)
	}
}

// wantCloseLate is wantClose without a bound on how long it takes.
func (c *client) wantCloseLate(code websocket.StatusCode) {
	c.t.Helper()
	for {
		if _, _, err := c.ws.Read(context.Background()); err != nil {
			if got := websocket.CloseStatus(err); got != code {
				c.t.Errorf("closed with %d (%v), want %d", got, err, code)
			}
			return
		}
	}
}

// windowOf is a range from 1 on as a command of a kind has it.
func windowOf(kind string, width int) string {
	if kind == "TIMESERIES" {
		return fmt.Sprintf(`"timeWindow":%d,`, width)
	}
	return fmt.Sprintf(`"endTs":%d,`, 1+width)
}

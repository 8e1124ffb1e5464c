package api_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

func TestSeriesAreExportedAsTheyAre(t *testing.T) {
	w := newSeriesWorld(t)
	w.saveTo(w.owned, `[{"ts":-1,"values":{"=key":"=1+1","n":-5}},{"ts":1700000000123,"values":{"=key":"a \"b\",\nc","n":9007199254740993}},{"ts":1700000000124,"values":{"=key":"","n":true}},{"ts":1700000000125,"values":{"n":{"a":[1]}}}]`)
	csv := func(members string) *answer { return w.ask(w.adminA, members, "Accept", "text/csv") }
	got := csv(`"entities":[{"entityType":"DEVICE","id":"` + w.owned.String() + `"}],"keys":["=key","n"],"startTs":-10,"endTs":1800000000000`)
	id := w.owned.String()
	got.is(200, `entityType,entityId,entityName,key,time,ts,value
DEVICE,`+id+`,owned,"'=key",1969-12-31T23:59:59.999Z,-1,"'=1+1"
DEVICE,`+id+`,owned,"'=key",2023-11-14T22:13:20.123Z,1700000000123,"a ""b"",
c"
DEVICE,`+id+`,owned,"'=key",2023-11-14T22:13:20.124Z,1700000000124,""
DEVICE,`+id+`,owned,n,1969-12-31T23:59:59.999Z,-1,-5
DEVICE,`+id+`,owned,n,2023-11-14T22:13:20.123Z,1700000000123,9007199254740993
DEVICE,`+id+`,owned,n,2023-11-14T22:13:20.124Z,1700000000124,true
DEVICE,`+id+`,owned,n,2023-11-14T22:13:20.125Z,1700000000125,"{""a"":[1]}"
`)
	if kind := got.Header().Get("Content-Type"); kind != "text/csv" {
		t.Error(kind)
	}
	csv(`"aggregates":["AVG","LAST"],"groupBy":["type","key"],"interval":50000`).is(200, `type,key,time,ts,avg,last
default,t,1970-01-01T00:00:00.000Z,0,8.25,20
default,t,1970-01-01T00:00:50.000Z,50000,18.75,7
default,h,1970-01-01T00:00:00.000Z,0,50.0,50
default,h,1970-01-01T00:00:50.000Z,50000,,wet
`)
	lines := func(members string) *answer { return w.ask(w.adminA, members, "Accept", "application/x-ndjson") }
	lines(`"orderBy":"DESC","limit":1,"keys":["h","t"]`).is(200, fmt.Sprintf(`{"entityType":"DEVICE","entityId":"%[1]s","entityName":"owned","key":"h","ts":50000,"value":"wet"}
{"entityType":"DEVICE","entityId":"%[1]s","entityName":"owned","key":"t","ts":50000,"value":30.5}
{"entityType":"DEVICE","entityId":"%[2]s","entityName":"free","key":"t","ts":99999,"value":7}
`, id, w.free))
	lines(`"aggregates":["AVG","LAST"],"groupBy":[],"interval":50000,"keys":["h"]`).is(200, `{"ts":0,"avg":50.0,"last":50}
{"ts":50000,"avg":null,"last":"wet"}
`)
	lines(`"keys":["none"]`).is(200, "")
	lines(`"entities":[{"entityType":"DEVICE","id":"`+w.foreign.String()+`"}]`).fails(404, 32, "Device with requested id wasn't found!")
}

// endless has a series without end. It tells what its yields returned, and what comes in
// between.
type endless struct {
	api.Store
	after func(page int) error // of each page
	ended chan error           // what the last yield returned
}

func (s *endless) RawPage(_ context.Context, q *model.RangeQuery, yield func(string, []model.Point) error) (model.RawPage, error) {
	points := make([]model.Point, 1024)
	for page := 0; ; page++ {
		for i := range points {
			points[i] = model.Point{TS: int64(page*len(points) + i), Value: model.Int(int64(i))}
		}
		if err := yield(q.Keys[0], points); err != nil {
			s.ended <- err
			return model.RawPage{}, err
		}
		if err := s.after(page); err != nil {
			s.ended <- nil
			return model.RawPage{}, err
		}
	}
}

// newEndless returns a world with such a series, served over a real connection.
func newEndless(t *testing.T, after func(page int) error) (*world, *endless, *httptest.Server) {
	s := &endless{after: after, ended: make(chan error, 64)}
	w := newWorld(t, func(d *api.Deps) { s.Store, d.Store = d.Store, s })
	server := httptest.NewServer(w.bare) // what stands around it for the document keeps whole answers
	t.Cleanup(server.Close)
	return w, s, server
}

// export begins an export of device "owned".
func (w *world) export(ctx context.Context, server *httptest.Server, header ...string) (*http.Response, error) {
	body := fmt.Sprintf(`{"entities":[{"entityType":"DEVICE","id":"%s"}],"keys":["t"],"startTs":0,"endTs":9000000000000}`, w.owned)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/api/telemetry/query", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Authorization", "Bearer "+w.oneUser)
	r.Header.Set("Accept", "text/csv")
	r.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return server.Client().Do(r)
}

// A file that is not whole must not look whole: neither to a program nor to a reader.
func TestAnExportThatFailsSaysSo(t *testing.T) {
	for kind, packed := range map[string]string{"text/csv": "identity", "application/x-ndjson": "gzip"} {
		w, _, server := newEndless(t, func(page int) error {
			if page == 9 {
				return model.Exceeded(model.BudgetTime, int64(time.Minute))
			}
			return nil
		})
		got, err := w.export(t.Context(), server, "Accept", kind, "Accept-Encoding", packed)
		check(t, err)
		var body io.Reader = got.Body
		if packed == "gzip" {
			if got.Header.Get("Content-Encoding") != "gzip" {
				t.Fatal("it is not compressed")
			}
			body, err = gzip.NewReader(got.Body)
			check(t, err)
		}
		text, err := io.ReadAll(body)
		if got.StatusCode != http.StatusOK || err == nil {
			t.Errorf("%s, %s: status %d, %v: half an export was read as a whole one", kind, packed, got.StatusCode, err)
		}
		check(t, got.Body.Close())
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		last := lines[len(lines)-1]
		want := map[string]string{
			"text/csv":             `#error,The query takes longer than the 1m0s one query may read; ask for a shorter range`,
			"application/x-ndjson": `{"error":"The query takes longer than the 1m0s one query may read; ask for a shorter range`,
		}[kind]
		if kind == "text/csv" {
			want = strings.Replace(want, ",The", `,"The`, 1) // it holds a comma
		}
		if !strings.HasPrefix(last, want) || len(lines) < 10*1024 {
			t.Errorf("%s, %s: %d lines, the last %q", kind, packed, len(lines), last)
		}
	}
}

// Who leaves ends the scan.
func TestAnExportEndsWithItsClient(t *testing.T) {
	w, s, server := newEndless(t, func(int) error { return nil })
	ctx, leave := context.WithCancel(t.Context())
	got, err := w.export(ctx, server)
	check(t, err)
	header, err := bufio.NewReader(got.Body).ReadString('\n')
	if err != nil || header != "entityType,entityId,entityName,key,time,ts,value\n" {
		t.Errorf("%q, %v", header, err)
	}
	leave()
	if err := <-s.ended; err == nil {
		t.Error("the scan went on to its end")
	}
	_ = got.Body.Close() // it is cancelled
}

// Who may no longer read gets no more: the session ended, or the device is somebody else's.
func TestAnExportEndsWithTheRightToRead(t *testing.T) {
	for name, end := range map[string]func(*world) error{
		"Token has expired": func(w *world) error { return w.registry.EndSessions(context.Background(), w.userOne) },
		"You don't have permission to perform this operation!": func(w *world) error {
			_, err := w.registry.AssignDevice(context.Background(), w.a, w.owned, w.two)
			return err
		},
	} {
		var w *world
		var s *endless
		var server *httptest.Server
		w, s, server = newEndless(t, func(page int) error {
			if page == 20 {
				if err := end(w); err != nil {
					return err
				}
				w.clock.add(2 * time.Second)
			}
			return nil
		})
		got, err := w.export(t.Context(), server, "Accept", "application/x-ndjson")
		check(t, err)
		text, err := io.ReadAll(got.Body)
		check(t, got.Body.Close())
		if err == nil || !strings.HasSuffix(string(text), "\n{\"error\":\""+name+"\"}\n") {
			t.Errorf("%s: %v, …%s", name, err, text[max(0, len(text)-200):])
		}
		if err := <-s.ended; err == nil {
			t.Error("the scan went on to its end")
		}
	}
}

// A client that does not read holds the scan up, and takes one of the places of its tenant.
func TestExportsGoAtThePaceOfTheirClientAndAreCounted(t *testing.T) {
	waiting := make(chan struct{}, 64)
	release := make(chan struct{})
	w, s, server := newEndless(t, func(page int) error {
		if page == 0 {
			waiting <- struct{}{}
			<-release
		}
		return errors.New("enough")
	})
	answers := make(chan error, 8)
	for range 8 {
		go func() {
			got, err := w.export(t.Context(), server)
			if err == nil {
				_, err = io.Copy(io.Discard, got.Body)
				err = errors.Join(err, got.Body.Close())
			}
			answers <- err
		}()
		<-waiting
	}
	w.ask(w.adminA, "", "Accept", "text/csv").fails(429, 33, "8 exports of the tenant are running, which is the limit; try again when one has ended")
	w.ask(w.adminA, "").is(200) // a page is no export
	close(release)
	for range 8 {
		<-s.ended
		if err := <-answers; err == nil {
			t.Error("an export that failed was read as a whole one")
		}
	}
	got, err := w.export(t.Context(), server)
	check(t, err)
	if got.StatusCode != http.StatusOK {
		t.Errorf("status %d: no place was given back", got.StatusCode)
	}
	check(t, got.Body.Close())
	<-s.ended
}

// However many rows, the server needs no more memory: what it allocates for them is less than
// a hundredth of what it sends.
func TestAnExportTakesNoMemoryForItsRows(t *testing.T) {
	const pages = 400
	w, s, server := newEndless(t, func(page int) error {
		if page == pages {
			return errors.New("enough")
		}
		return nil
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := w.export(t.Context(), server)
	check(t, err)
	n, err := io.Copy(io.Discard, got.Body)
	runtime.ReadMemStats(&after)
	check(t, got.Body.Close())
	<-s.ended
	if allocated := after.TotalAlloc - before.TotalAlloc; n < pages*1024*50 || allocated > uint64(n)/20 {
		t.Errorf("%d bytes were sent, %d allocated, %v", n, allocated, err)
	}
}

// The time a client has to send its request must not end a long answer.
func TestAnExportOutlivesTheTimeForItsRequest(t *testing.T) {
	w, s, server := newEndless(t, func(int) error { return nil })
	server.Close()
	deadlines := &deadlines{}
	server = httptest.NewUnstartedServer(w.bare)
	deadlines.Listener = server.Listener
	server.Listener = deadlines
	server.Config.ReadTimeout = time.Hour
	server.Start()
	defer server.Close()
	ctx, leave := context.WithCancel(t.Context())
	got, err := w.export(ctx, server)
	check(t, err)
	if _, err := bufio.NewReader(got.Body).ReadString('\n'); err != nil {
		t.Error(err)
	}
	if at, ok := deadlines.last.Load().(time.Time); !ok || !at.IsZero() {
		t.Errorf("reading ends %v", at)
	}
	leave()
	<-s.ended
	_ = got.Body.Close() // it is cancelled
}

// deadlines is a listener whose connections tell their last deadline for reading.
type deadlines struct {
	net.Listener
	last atomic.Value
}

func (l *deadlines) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return deadlineConn{c, l}, err
}

type deadlineConn struct {
	net.Conn
	of *deadlines
}

func (c deadlineConn) SetReadDeadline(at time.Time) error {
	c.of.last.Store(at)
	return c.Conn.SetReadDeadline(at)
}

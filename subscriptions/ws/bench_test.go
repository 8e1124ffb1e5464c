package ws

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tidewire/tidewire/internal/wstest"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/subscriptions/internal/twin"
)

// The benchmarks run the server in a process of its own, this test binary with an order in its
// environment, so that its memory can be told from that of the clients:
//
//	go test ./subscriptions/ws -run NONE -bench . -benchtime 2s
//
// "bare" is what the socket allows: frames made once, one write for each subscriber, nothing
// else. Goals are ratios to it, in one run.
const benchOrder = "TIDEWIRE_WS_BENCH"

// benchServer serves until its standard input ends. Each byte it reads there is an order: p
// publishes one update, m answers with the resident memory after a collection.
func benchServer(kind string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	var publish func(n int64)
	var handler http.Handler
	if kind == "bare" {
		handler, publish = bareServer()
	} else {
		hub := subscriptions.New(subscriptions.Options{})
		hub.Start(twin.New(hub))
		handler = New(Deps{
			Hub:    hub,
			Verify: func(string) (model.Principal, error) { return model.Principal{Tenant: tenant}, nil },
			Allow: func(p model.Principal, _ Access, ref model.EntityRef) (*model.Entity, error) {
				return &model.Entity{Tenant: p.Tenant, ID: ref.ID, Type: ref.Type}, nil
			},
		})
		publish = func(n int64) {
			if hub.Wants(tenant, deviceID) {
				hub.Publish(&model.Change{
					Position: model.Position(n), Tenant: tenant, Entity: deviceID, Scope: model.Timeseries, Keys: benchKeys,
					Rows: []model.Row{{TS: now + n, Cells: 2}}, Newest: []bool{true, true},
					Cells: []model.Cell{{Key: 0, Value: model.Float(21.5)}, {Key: 1, Value: model.Int(n)}},
				})
			}
		}
	}
	go func() { _ = http.Serve(ln, handler) }()
	fmt.Fprintln(os.Stdout, ln.Addr())
	in := bufio.NewReader(os.Stdin)
	for n := int64(1); ; {
		order, err := in.ReadByte()
		switch {
		case err != nil:
			os.Exit(0)
		case order == 'p':
			publish(n)
			n++
		case order == 'm':
			for range 3 { // a stack shrinks by half a collection
				debug.FreeOSMemory()
			}
			fmt.Fprintln(os.Stdout, resident())
		}
	}
}

var benchKeys = []string{"temperature", "counter"}

// bareServer writes to a share of the connections from each of two goroutines, several frames
// at once when they wait.
func bareServer() (http.Handler, func(int64)) {
	type share struct {
		mu    sync.Mutex
		conns []net.Conn
		in    chan []byte
	}
	shares := make([]*share, 2)
	for i := range shares {
		s := &share{in: make(chan []byte, 64)}
		shares[i] = s
		go func() {
			for b := range s.in {
			waiting:
				for {
					select {
					case more := <-s.in:
						b = append(b[:len(b):len(b)], more...)
					default:
						break waiting
					}
				}
				s.mu.Lock()
				for _, c := range s.conns {
					c.Write(b)
				}
				s.mu.Unlock()
			}
		}()
	}
	var n atomic.Int64
	handler := func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+wstest.Accepted()+"\r\n\r\n")
		c.Write(appendText(nil, []byte(dataFrame(1, `{}`, `{}`))))
		s := shares[int(n.Add(1))%len(shares)]
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		go func() {
			var b [64]byte
			for {
				if _, err := c.Read(b[:]); err != nil {
					return
				}
			}
		}()
	}
	return http.HandlerFunc(handler), func(n int64) {
		body := encoder{}.Body(nil, &subscriptions.Update{Points: []subscriptions.Point{
			{Key: "counter", TS: now + n, Value: model.Int(n)}, {Key: "temperature", TS: now + n, Value: model.Float(21.5)},
		}})
		f := encoder{}.Frame(nil, 1, body)
		for _, s := range shares {
			s.in <- f
		}
	}
}

// resident returns the memory of this process in bytes.
func resident() int {
	b, _ := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}

// A bench is a server process and its clients.
type bench struct {
	in       io.WriteCloser
	out      *bufio.Reader
	addr     string
	received atomic.Int64
}

func startBench(b *testing.B, kind string) *bench {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	cmd := exec.CommandContext(context.Background(), os.Args[0], "-test.run=NONE")
	cmd.Env = append(os.Environ(), benchOrder+"="+kind)
	cmd.Stderr = os.Stderr
	x := &bench{}
	var err error
	if x.in, err = cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		x.in.Close()
		_ = cmd.Wait()
	})
	x.out = bufio.NewReader(out)
	x.addr = x.line(b)
	return x
}

func (x *bench) line(b *testing.B) string {
	line, err := x.out.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func (x *bench) memory(b *testing.B) int {
	io.WriteString(x.in, "m")
	n, _ := strconv.Atoi(x.line(b))
	return n
}

// subscribe opens a connection with one subscription and counts what comes.
func (x *bench) subscribe(b *testing.B) {
	nc, err := net.Dial("tcp", x.addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { nc.Close() })
	c := handshake(b, nc, "")
	fmt.Fprint(c, frame(0x81, fmt.Sprintf(`{"cmds":[{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":%q}]}`, device)))
	c.next(b)
	go func() {
		buf := make([]byte, 0, 4096)
		for {
			n, err := nc.Read(buf[len(buf):cap(buf)])
			if err != nil {
				return
			}
			buf = buf[:len(buf)+n]
			rest, frames := buf, int64(0)
			for len(rest) >= 4 {
				size := 2 + int(rest[1])
				if rest[1] == 126 {
					size = 4 + int(binary.BigEndian.Uint16(rest[2:]))
				}
				if len(rest) < size {
					break
				}
				rest = rest[size:]
				frames++
			}
			buf = buf[:copy(buf[:cap(buf)], rest)]
			x.received.Add(frames)
		}
	}()
}

// BenchmarkFanOut publishes updates of one device to all subscribers, eight under way.
func BenchmarkFanOut(b *testing.B) {
	for _, subscribers := range []int64{1000, 5000} {
		for _, kind := range []string{"bare", "tidewire"} {
			b.Run(fmt.Sprintf("subscribers=%d/%s", subscribers, kind), func(b *testing.B) {
				x := startBench(b, kind)
				for range subscribers {
					x.subscribe(b)
				}
				b.ResetTimer()
				var sent int64
				wait := func(n int64) {
					for x.received.Load() < n*subscribers {
						<-time.After(50 * time.Microsecond)
					}
				}
				for b.Loop() {
					wait(sent - 7)
					io.WriteString(x.in, "p")
					sent++
				}
				wait(sent)
				b.StopTimer()
				b.ReportMetric(float64(sent*subscribers)/b.Elapsed().Seconds(), "deliveries/s")
			})
		}
	}
}

// BenchmarkIdleConnection reports the resident memory of a connection with one subscription.
func BenchmarkIdleConnection(b *testing.B) {
	const connections = 4000
	for _, kind := range []string{"bare", "tidewire"} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				x := startBench(b, kind)
				x.subscribe(b) // what is needed once
				before := x.memory(b)
				for range connections {
					x.subscribe(b)
				}
				b.ReportMetric(float64(x.memory(b)-before)/connections, "B/connection")
			}
		})
	}
}

// BenchmarkUpdate is what one update costs the hub beside the writes of its frames.
func BenchmarkUpdate(b *testing.B) {
	u := &subscriptions.Update{Points: make([]subscriptions.Point, 10)}
	for i := range u.Points {
		u.Points[i] = subscriptions.Point{Key: fmt.Sprintf("key%d", i), TS: now, Value: model.Float(21.5)}
	}
	var body, f []byte
	b.ReportAllocs()
	for b.Loop() {
		body = encoder{}.Body(body[:0], u)
		f = encoder{}.Frame(f[:0], 5, body)
	}
}

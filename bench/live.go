package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

const partLive = "Live"

// bareDeliveries is what bare frames reached where the goal was set: 0.95 of them.
var bareDeliveries = map[int]float64{1000: 458e3, 5000: 313e3}

func bareFigure(l *line) figure { return l.bare }

// live measures WebSocket fan-out: one device, many subscribers, beside a server that does
// nothing but write prepared frames.
func (b *bench) live(ctx context.Context) error {
	b.title(partLive + ": one device, every update to every subscriber (one update a frame, 16 updates on their way; what waits for a socket goes in one write)")
	s, err := b.startServer(ctx, filepath.Join(b.dir, "live"), nil)
	if err != nil {
		return err
	}
	defer s.kill()
	devices, err := s.devices(ctx, "live", 1)
	if err != nil {
		return err
	}
	publish := func(n int) []byte {
		body := fmt.Appendf(nil, `{"ts":%d,"values":{"temperature":%d.5}}`, time.Now().UnixMilli()+int64(n), n)
		return request("POST", "/api/v1/"+devices[0].token+"/telemetry", "", body)
	}
	hello := subscription(s, devices[0])
	for _, n := range []int{1000, 5000} {
		ours, err := b.fanout(ctx, s, "/api/ws", hello, n, publish)
		if err != nil {
			return err
		}
		bare, err := b.startRole(ctx, "frames")
		if err != nil {
			return err
		}
		theirs, err := b.fanout(ctx, bare, "/ws", "", n, func(int) []byte { return request("POST", "/pub", "", []byte("{}")) })
		if err := errors.Join(err, bare.kill()); err != nil {
			return err
		}
		b.add(line{part: partLive, name: fmt.Sprintf("%d subscribers of one device", n), unit: deliveries, ours: ours, bare: theirs,
			goal: goal{bareDeliveries[n] * 0.95, bareDeliveries[n], bareFigure}, durable: "yes / – / –"})
	}
	return b.idle(ctx)
}

// subscription is the first message of a client that follows one key of d.
func subscription(s *server, d device) string {
	token := strings.TrimSuffix(strings.TrimPrefix(s.admin, "X-Authorization: Bearer "), "\r\n")
	return fmt.Sprintf(`{"authCmd":{"cmdId":0,"token":%q},"cmds":[{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":%q,"scope":"LATEST_TELEMETRY","keys":"temperature"}]}`, token, d.id)
}

// idle measures what a connection with one subscription costs when nothing happens: the
// growth of the process from 2,000 sockets to 7,000. The first 2,000 take the room that
// starting and logging in left free.
func (b *bench) idle(ctx context.Context) error {
	s, err := b.startServer(ctx, filepath.Join(b.dir, "idle"), nil, "GOGC=20") // so that garbage hardly counts
	if err != nil {
		return err
	}
	defer s.kill()
	devices, err := s.devices(ctx, "idle", 1)
	if err != nil {
		return err
	}
	hello := subscription(s, devices[0])
	var sizes []float64
	var conns []net.Conn
	for _, n := range []int{2000, 5000} {
		more, err := subscribe(ctx, s.addr, "/api/ws", hello, n, nil)
		if err != nil {
			return err
		}
		conns = append(conns, more...)
		settled, err := s.settledMemory(ctx)
		if err != nil {
			return err
		}
		sizes = append(sizes, settled)
	}
	b.add(line{part: partLive, name: "memory of an idle socket with a subscription", unit: kibibytes,
		ours: figure{(sizes[1] - sizes[0]) / 5000 / 1024, "resident, 5,000 more sockets"}, goal: goal{value: 7}})
	for _, c := range conns {
		c.Close()
	}
	return nil
}

// settledMemory waits until the size of the process has not changed by a hundredth for a
// second.
func (s *server) settledMemory(ctx context.Context) (float64, error) {
	for last := s.memory(); ; {
		if err := pause(ctx, time.Second); err != nil {
			return 0, err
		}
		now := s.memory()
		if math.Abs(now-last) < last/100 {
			return now, nil
		}
		last = now
	}
}

// window is how many updates may be on their way: enough to keep the server busy, too few
// for a queue to hide a slow one.
const window = 16

// fanout counts deliveries a second for about three seconds.
func (b *bench) fanout(ctx context.Context, s *server, path, hello string, n int, publish func(int) []byte) (perSecond figure, err error) {
	var received atomic.Int64
	conns, err := subscribe(ctx, s.addr, path, hello, n, &received)
	if err != nil {
		return figure{}, err
	}
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	w, err := dial(s.addr)
	if err != nil {
		return figure{}, err
	}
	defer w.conn.Close()
	// A first frame may still be on its way to somebody: begin behind it.
	var answer []byte
	sent := 0
	var base int64
	wait := func(want int64) error {
		for began := time.Now(); received.Load()-base < want; {
			if time.Since(began) > 10*time.Second {
				return fmt.Errorf("%d of %d frames arrived", received.Load()-base, want)
			}
			if err := pause(ctx, 50*time.Microsecond); err != nil {
				return err
			}
		}
		return nil
	}
	send := func() error {
		sent++
		answer, err = w.do(publish(sent), answer[:0])
		return err
	}
	for range 5 {
		if err := send(); err != nil {
			return figure{}, err
		}
		if err := wait(int64(sent) * int64(n)); err != nil {
			return figure{}, err
		}
	}
	base, sent = received.Load(), 0
	cpu := s.cpu()
	begin := time.Now()
	for time.Since(begin) < 3*time.Second {
		if err := send(); err != nil {
			return figure{}, err
		}
		if sent > window {
			if err := wait(int64(sent-window) * int64(n)); err != nil {
				return figure{}, err
			}
		}
	}
	if err := wait(int64(sent) * int64(n)); err != nil {
		return figure{}, err
	}
	took := time.Since(begin).Seconds()
	total := float64(received.Load() - base)
	return figure{total / took, fmt.Sprintf("%.2f CPU s per million", (s.cpu()-cpu)/total*1e6)}, nil
}

// subscribe opens n sockets, says hello on each and waits for the first frame. Frames after
// it are counted in received; nil reads nothing more.
func subscribe(ctx context.Context, addr, path, hello string, n int, received *atomic.Int64) ([]net.Conn, error) {
	conns := make([]net.Conn, 0, n)
	errs := make(chan error, n)
	slots := make(chan struct{}, 64)
	for range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		conns = append(conns, conn)
		slots <- struct{}{}
		go func() {
			r, err := open(conn, path, hello)
			<-slots
			errs <- err
			if err == nil && received != nil {
				for {
					if err := frame(r); err != nil {
						return // closed by us
					}
					received.Add(1)
				}
			}
		}()
	}
	for range n {
		select {
		case err := <-errs:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return conns, nil
}

// open does the handshake (RFC 6455 4.1), sends hello as one masked text frame and reads
// the first frame of the answer.
func open(conn net.Conn, path, hello string) (*bufio.Reader, error) {
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	r := bufio.NewReaderSize(conn, 1024)
	status, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if !strings.Contains(status, " 101 ") {
		return nil, fmt.Errorf("handshake: %s", strings.TrimSpace(status))
	}
	for line := status; strings.TrimSpace(line) != ""; {
		if line, err = r.ReadString('\n'); err != nil {
			return nil, err
		}
	}
	if hello == "" {
		return r, nil
	}
	msg := []byte{0x81, 0x80 | 126, 0, 0, 0, 0, 0, 0} // the mask of zeros changes nothing
	binary.BigEndian.PutUint16(msg[2:], uint16(len(hello)))
	if _, err := conn.Write(append(msg, hello...)); err != nil {
		return nil, err
	}
	return r, frame(r)
}

// frame reads one frame, which it must be able to be (RFC 6455 5.2).
func frame(r *bufio.Reader) error {
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:2]); err != nil {
			return err
		}
		opcode, n := head[0]&15, int(head[1])
		switch n {
		case 126:
			if _, err := io.ReadFull(r, head[:2]); err != nil {
				return err
			}
			n = int(binary.BigEndian.Uint16(head[:]))
		case 127:
			if _, err := io.ReadFull(r, head[:8]); err != nil {
				return err
			}
			n = int(binary.BigEndian.Uint64(head[:]))
		}
		if _, err := r.Discard(n); err != nil {
			return err
		}
		if opcode == 8 {
			return io.EOF
		}
		if opcode == 1 { // pings are not deliveries
			return nil
		}
	}
}

// startRole runs this program as one of the servers others are compared with.
func (b *bench) startRole(ctx context.Context, role string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-role", role)
	cmd.Dir = b.dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	return &server{cmd: cmd, addr: strings.TrimSpace(addr)}, err
}

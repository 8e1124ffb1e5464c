package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// A wire is one HTTP/1.1 connection that sends requests made beforehand and reads answers
// without parsing more than it must: on two cores the client's own cost is part of every
// figure, so it is kept small.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
}

func dial(addr string) (*wire, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return &wire{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// request makes the bytes of a request.
func request(method, path, headers string, body []byte) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: bench\r\n%s", method, path, headers)
	if body != nil {
		b = fmt.Appendf(b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	return append(append(b, "\r\n"...), body...)
}

// do sends a request and reads the whole answer, whose body it appends to dst. A status
// other than 2xx is an error.
func (w *wire) do(req, dst []byte) ([]byte, error) {
	if _, err := w.conn.Write(req); err != nil {
		return dst, fmt.Errorf("send: %w", err)
	}
	status, length, chunked := 0, 0, false
	for first := true; ; first = false {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return dst, fmt.Errorf("read the answer: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if len(line) < 12 {
				return dst, fmt.Errorf("no status in %q", line)
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return dst, fmt.Errorf("no status in %q", line)
			}
			continue
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return dst, fmt.Errorf("length %q", value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	var err error
	if chunked {
		dst, err = w.chunks(dst)
	} else {
		dst, err = w.take(dst, length)
	}
	if err != nil {
		return dst, fmt.Errorf("read the body: %w", err)
	}
	if status/100 != 2 {
		return dst, fmt.Errorf("status %d: %.200s", status, dst)
	}
	return dst, nil
}

func (w *wire) chunks(dst []byte) ([]byte, error) {
	for {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return dst, err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return dst, err
		}
		if dst, err = w.take(dst, int(n)); err != nil {
			return dst, err
		}
		if _, err := w.r.Discard(2); err != nil {
			return dst, err
		}
		if n == 0 {
			return dst, nil
		}
	}
}

func (w *wire) take(dst []byte, n int) ([]byte, error) {
	at := len(dst)
	if need := at + n; need > cap(dst) {
		dst = append(make([]byte, 0, 2*need), dst...)
	}
	dst = dst[:at+n]
	_, err := io.ReadFull(w.r, dst[at:])
	return dst, err
}

// drive sends requests over conns connections until next returns nil, and returns how
// long it took. next is called by each connection in turn, with a number of its own.
func drive(addr string, conns int, next func(conn int) []byte) (time.Duration, error) {
	wires := make([]*wire, conns)
	for i := range wires {
		w, err := dial(addr)
		if err != nil {
			return 0, err
		}
		defer w.conn.Close()
		wires[i] = w
	}
	errs := make(chan error, conns)
	var failed atomic.Bool
	begin := time.Now()
	for i, w := range wires {
		go func() {
			var answer []byte
			for !failed.Load() {
				req := next(i)
				if req == nil {
					break
				}
				var err error
				if answer, err = w.do(req, answer[:0]); err != nil {
					failed.Store(true)
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var all []error
	for range wires {
		all = append(all, <-errs)
	}
	return time.Since(begin), errors.Join(all...)
}

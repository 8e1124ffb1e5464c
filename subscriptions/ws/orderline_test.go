package ws

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// A line is the client's end of a connection that takes so many frames and then breaks.
type line struct {
	net.Conn // what a test of frames does not need
	mu       sync.Mutex
	bytes    []byte
	takes    int // frames; below zero means without end
	take     func(frame string) bool
	broken   chan struct{}
}

func (l *line) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.bytes = append(l.bytes, b...); len(l.bytes) > 1; {
		n, head := int(l.bytes[1]), 2
		if n == 126 {
			n, head = int(binary.BigEndian.Uint16(l.bytes[2:])), 4
		}
		if len(l.bytes) < head+n {
			break
		}
		if l.takes == 0 {
			l.breakLocked()
			return 0, errCut
		}
		l.takes--
		if !l.take(string(l.bytes[head : head+n])) {
			l.breakLocked()
			return 0, errCut
		}
		l.bytes = l.bytes[head+n:]
	}
	return len(b), nil
}

func (l *line) breakLocked() {
	l.takes = 0
	select {
	case <-l.broken:
	default:
		close(l.broken)
	}
}

// sound reports whether the connection has not broken.
func (l *line) sound() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.takes != 0
}

func (l *line) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.breakLocked()
	return nil
}

func (l *line) Read([]byte) (int, error)       { <-l.broken; return 0, io.EOF }
func (*line) SetReadDeadline(time.Time) error  { return nil }
func (*line) SetWriteDeadline(time.Time) error { return nil }

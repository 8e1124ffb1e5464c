package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"
)

// A sender writes one answer, of JSON unless it says otherwise: at once when it is small, in chunks as they come when it
// is not. Nothing is sent before the first chunk, so until then a failure can still be told.
type sender struct {
	w       http.ResponseWriter
	request *request
	kind    string       // Content-Type; "" means JSON
	pack    *gzip.Writer // once sending compressed
	started bool
}

const (
	// chunk is how much of a long answer is gathered before it leaves.
	chunk = 64 << 10
	// chunkTimeout is how long a client may take over one chunk.
	chunkTimeout = time.Minute
)

// send sends part of a longer answer.
func (s *sender) send(b []byte) error {
	// Not every writer has deadlines; the server's own stands then.
	control := http.NewResponseController(s.w)
	if !s.started {
		s.start(len(b))
		// The time for reading the request would end the answer too: it has been read.
		_ = control.SetReadDeadline(time.Time{})
	}
	_ = control.SetWriteDeadline(time.Now().Add(chunkTimeout))
	if s.request != nil {
		s.request.wait.pause()
	}
	var err error
	if s.pack != nil {
		_, err = s.pack.Write(b)
	} else {
		_, err = s.w.Write(b)
	}
	if s.request != nil {
		s.request.wait.more(s.request.server.Limits.Timeout)
	}
	return err
}

// flush sends what lower layers gather.
func (s *sender) flush() error {
	if s.pack != nil {
		if err := s.pack.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(s.w).Flush()
}

// finish sends the rest, or all, of the answer.
func (s *sender) finish(b []byte) error {
	if !s.started {
		s.start(len(b))
		if s.pack == nil {
			s.w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		}
	}
	if s.pack == nil {
		_, err := s.w.Write(b)
		return err
	}
	if _, err := s.pack.Write(b); err != nil {
		return err
	}
	err := s.pack.Close()
	packers.Put(s.pack)
	s.pack = nil
	return err
}

func (s *sender) start(size int) {
	s.started = true
	header := s.w.Header()
	if s.kind == "" {
		header["Content-Type"] = jsonType
	} else {
		header.Set("Content-Type", s.kind)
	}
	if size < compressFrom || s.request == nil {
		return
	}
	header.Add("Vary", "Accept-Encoding")
	if acceptsGzip(s.request.http) {
		header.Set("Content-Encoding", "gzip")
		s.pack = packers.Get().(*gzip.Writer)
		s.pack.Reset(s.w)
	}
}

// fail ends an answer that cannot be completed. Before the first chunk the failure is the
// answer; after it the connection is cut, so that nobody takes a part for the whole.
func (s *sender) fail(err error) error {
	if !s.started {
		return err
	}
	panic(aborted{err})
}

// aborted is the panic that cuts a connection; around logs err and ends the request.
type aborted struct{ err error }

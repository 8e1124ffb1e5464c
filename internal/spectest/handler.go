package spectest

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
)

// Handler returns next with everything it answers, and the requests it accepts, held against
// openapi.yaml.
func Handler(t testing.TB, next http.Handler) http.Handler {
	t.Helper()
	return newHandler(t, next, (*Document).Verify)
}

// Answers is Handler for tests that send what nobody may rely on: requests are not judged.
func Answers(t testing.TB, next http.Handler) http.Handler {
	t.Helper()
	return newHandler(t, next, (*Document).VerifyAnswer)
}

func newHandler(t testing.TB, next http.Handler, verify func(*Document, Exchange) error) *handler {
	t.Helper()
	doc, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	return &handler{t, next, func(x Exchange) error { return verify(doc, x) }}
}

type handler struct {
	t      testing.TB
	next   http.Handler
	verify func(Exchange) error
}

// Unwrap returns what is watched.
func (h *handler) Unwrap() http.Handler { return h.next }

// ServeHTTP implements http.Handler. An answer that ends in a panic was cut on purpose and is
// not judged.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.t.Helper()
	x := Exchange{Method: r.Method, URL: new(url.URL)}
	*x.URL = *r.URL
	sent := &copied{ReadCloser: r.Body}
	if r.Body != nil && r.Body != http.NoBody {
		seen := r.WithContext(r.Context())
		seen.Body = sent
		r = seen
	}
	watched := &writer{ResponseWriter: w}
	h.next.ServeHTTP(watched, r)
	if watched.hijacked {
		return
	}
	x.Sent, x.Status, x.Header, x.Received = sent.bytes(), watched.status, watched.header, watched.body.Bytes()
	if x.Status == 0 {
		x.Status, x.Header = http.StatusOK, w.Header().Clone()
	}
	if err := h.verify(x); err != nil {
		h.t.Error(err)
	}
}

// Hijack implements http.Hijacker: what follows is no answer any more.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hijacked = true
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// copied keeps what is read of a request's body. A transport may still be sending when the
// answer is there.
type copied struct {
	io.ReadCloser
	mu   sync.Mutex
	read []byte
}

func (c *copied) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = append(c.read, p[:n]...)
	return n, err
}

func (c *copied) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.read)
}

// A writer keeps what is written to it.
type writer struct {
	http.ResponseWriter
	status   int
	header   http.Header
	body     bytes.Buffer
	hijacked bool
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 || status == http.StatusSwitchingProtocols {
		w.status, w.header = status, w.Header().Clone()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", http.DetectContentType(p))
		}
		w.WriteHeader(http.StatusOK)
	}
	if kind, _, err := mime.ParseMediaType(w.header.Get("Content-Type")); err != nil || !unread(kind) {
		w.body.Write(p)
	}
	return w.ResponseWriter.Write(p)
}

package spectest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"testing"
)

// Transport returns next with everything that travels through it held against openapi.yaml.
// An answer is judged when its body was read to the end or is closed; one that broke off is not.
func Transport(t testing.TB, next http.RoundTripper) http.RoundTripper {
	t.Helper()
	doc, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	return &transport{t, doc, next}
}

type transport struct {
	t    testing.TB
	doc  *Document
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	x := Exchange{Method: r.Method, URL: r.URL}
	sent := &copied{ReadCloser: r.Body}
	if r.Body != nil && r.Body != http.NoBody {
		seen := r.Clone(r.Context())
		seen.Body = sent
		r = seen
	}
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	x.Status, x.Header = res.StatusCode, res.Header
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); res.StatusCode == http.StatusSwitchingProtocols || err == nil && unread(kind) {
		t.judge(x)
		return res, nil
	}
	res.Body = &judged{ReadCloser: res.Body, end: func(received []byte) {
		x.Sent, x.Received = sent.bytes(), received
		t.judge(x)
	}}
	return res, nil
}

func (t *transport) judge(x Exchange) {
	if err := t.doc.Verify(x); err != nil {
		t.t.Error(err)
	}
}

// judged is the body of an answer that is judged at its end.
type judged struct {
	io.ReadCloser
	body bytes.Buffer
	end  func(received []byte)
}

func (j *judged) Read(p []byte) (int, error) {
	n, err := j.ReadCloser.Read(p)
	j.body.Write(p[:n])
	if errors.Is(err, io.EOF) && j.end != nil {
		j.end(j.body.Bytes())
		j.end = nil
	}
	return n, err
}

// Close reads what the test did not care for.
func (j *judged) Close() error {
	if j.end != nil {
		_, _ = io.Copy(io.Discard, j) // a server that is gone ends it too
	}
	return j.ReadCloser.Close()
}

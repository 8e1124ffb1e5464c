package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// A scratch is what a handler of raw bodies or hot answers borrows for one request.
type scratch struct {
	in     bytes.Buffer
	out    []byte
	parser thingsboard.Parser
}

// keepScratch bounds what stays in the pool: one giant request must not hold its memory.
const keepScratch = 1 << 20

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func borrow() *scratch { return scratches.Get().(*scratch) }

func (b *scratch) giveBack() {
	if b.in.Cap() > keepScratch || cap(b.out) > keepScratch {
		return
	}
	scratches.Put(b)
}

// read returns the whole of body, valid until giveBack.
func (b *scratch) read(body io.Reader) ([]byte, error) {
	b.in.Reset()
	if _, err := b.in.ReadFrom(body); err != nil {
		return nil, bodyError(err)
	}
	return b.in.Bytes(), nil
}

// bodyError gives a failure to receive a body its kind.
func bodyError(err error) error {
	if model.KindOf(err) != model.Internal {
		return err
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return &model.Error{Kind: model.Invalid, Message: "The body could not be read", Err: err}
}

// openBody puts the limit before the request's body, and a decompressor where it came
// compressed. The limit holds on both sides of it: a small body must not become a large one.
func openBody(w http.ResponseWriter, r *http.Request, limit int64) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if r.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		r.Body = &gunzip{body: r.Body, left: limit, limit: limit}
		r.ContentLength = -1
		r.Header.Del("Content-Encoding")
		r.Header.Del("Content-Length")
	default:
		return &routeError{http.StatusUnsupportedMediaType, codeBadRequest, "Content-Encoding is not supported, use gzip"}
	}
	return nil
}

// A gunzip reads a compressed body. The header is read at the first Read, so that a body
// that never arrives fails where bodies are read.
type gunzip struct {
	body  io.ReadCloser
	z     *gzip.Reader
	left  int64
	limit int64
}

func (g *gunzip) Read(p []byte) (int, error) {
	if g.z == nil {
		z, err := gzip.NewReader(g.body)
		if err != nil {
			return 0, gunzipError(err)
		}
		g.z = z
	}
	n, err := g.z.Read(p)
	if g.left -= int64(n); g.left < 0 {
		return 0, &http.MaxBytesError{Limit: g.limit}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = gunzipError(err)
	}
	return n, err
}

func (g *gunzip) Close() error { return g.body.Close() }

func gunzipError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return &model.Error{Kind: model.Invalid, Message: "The body is not valid gzip", Err: err}
}

// decodeEntity reads body, whatever its Content-Type, as one JSON object into dst. Unknown
// members are ignored, since clients send back whole entities; anything behind the object
// is refused, since it means that the sender and we disagree on what was sent.
func decodeEntity(body io.Reader, dst any) error {
	b := borrow()
	defer b.giveBack()
	raw, err := b.read(body)
	if err != nil {
		return err
	}
	// Unmarshal wants one value and nothing behind it; a Decoder would stop in front.
	if err := json.Unmarshal(raw, dst); err != nil {
		return &model.Error{Kind: model.Invalid, Message: "Invalid JSON body: " + jsonProblem(err), Err: err}
	}
	return nil
}

// jsonProblem words what encoding/json says without our type names.
func jsonProblem(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field == "" {
			return "unexpected " + e.Value
		}
		return "unexpected " + e.Value + " in '" + e.Field + "'"
	}
	return model.MessageOf(err, err.Error())
}

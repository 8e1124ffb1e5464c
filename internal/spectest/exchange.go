package spectest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// An Exchange is a request with its answer.
type Exchange struct {
	Method string
	URL    *url.URL
	Sent   []byte // the request's body, as the client made it

	Status   int
	Header   http.Header // of the answer
	Received []byte      // the answer's body
}

// anyRoute lists what a request may meet whatever it asks for, so that an operation's default
// answer is enough. Any other status is the operation's own and has to be named.
var anyRoute = map[int]bool{
	http.StatusRequestEntityTooLarge:       true,
	http.StatusRequestURITooLong:           true,
	http.StatusRequestHeaderFieldsTooLarge: true,
	http.StatusUnsupportedMediaType:        true, // a compression the server does not know
	http.StatusTooManyRequests:             true,
	http.StatusInternalServerError:         true,
	http.StatusServiceUnavailable:          true,
	http.StatusInsufficientStorage:         true,
}

// Verify says how an exchange breaks the document, or nothing.
func (d *Document) Verify(x Exchange) error { return d.verify(x, true) }

// VerifyAnswer is Verify for an answer alone, whatever the request.
func (d *Document) VerifyAnswer(x Exchange) error { return d.verify(x, false) }

func (d *Document) verify(x Exchange, request bool) error {
	method := x.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	template, parameters := d.route(x.URL.EscapedPath())
	operation := d.at(place{node: d.root}, "paths", template, strings.ToLower(method))
	if operation.node == nil {
		return d.verifyUndocumented(x)
	}
	err := d.verifyAnswer(operation, x)
	if err == nil && request && x.Status/100 == 2 {
		err = d.verifyRequest(operation, parameters, x)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %d: %w", x.Method, template, x.Status, err)
	}
	return nil
}

// verifyUndocumented judges the answer to what the document does not have. Below /api that is
// a refusal in the common form; the rest is the web app's and its files'.
func (d *Document) verifyUndocumented(x Exchange) error {
	if !strings.HasPrefix(x.URL.Path, "/api/") || x.Method == http.MethodOptions {
		return nil
	}
	if x.Status/100 == 4 || anyRoute[x.Status] {
		failure := d.at(place{node: d.root}, "components", "responses", "Failure")
		if err := d.verifyBody(failure, x); err != nil {
			return fmt.Errorf("%s %s: %d: %w", x.Method, x.URL.Path, x.Status, err)
		}
		return nil
	}
	return fmt.Errorf("%s %s: %d from a route that is not documented", x.Method, x.URL.Path, x.Status)
}

func (d *Document) verifyAnswer(operation place, x Exchange) error {
	response := d.at(operation, "responses", strconv.Itoa(x.Status))
	if response.node == nil && anyRoute[x.Status] {
		response = d.at(operation, "responses", "default")
	}
	if response.node == nil {
		return fmt.Errorf("the status is not documented: %s", short(x.Received))
	}
	headers := d.at(response, "headers")
	for name := range headers.node {
		header := d.at(headers, name)
		value := x.Header.Get(name)
		if value == "" {
			if header.node["required"] == true {
				return fmt.Errorf("the header %s is missing", name)
			}
			continue
		}
		schema := d.at(header, "schema")
		if err := d.received.validate(schema, typed(schema, value)); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	return d.verifyBody(response, x)
}

// verifyBody holds the body of an answer against one of the response's media types.
func (d *Document) verifyBody(response place, x Exchange) error {
	if x.Method == http.MethodHead || x.Status == http.StatusSwitchingProtocols {
		return nil
	}
	content := d.at(response, "content")
	if len(content.node) == 0 {
		if len(x.Received) > 0 {
			return fmt.Errorf("a body that is not documented: %s", short(x.Received))
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(x.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type %q: %w", x.Header.Get("Content-Type"), err)
	}
	media := d.at(content, kind)
	if media.node == nil {
		return fmt.Errorf("the content type %s is not documented: %s", kind, short(x.Received))
	}
	if unread(kind) {
		return nil
	}
	body := x.Received
	if x.Header.Get("Content-Encoding") == "gzip" {
		if body, err = unpack(body); err != nil {
			return err
		}
	}
	schema := d.at(media, "schema")
	switch kind {
	case "application/json":
		return d.received.validateJSON(schema, body)
	case "application/x-ndjson":
		// The schema is that of a line.
		for line := range bytes.Lines(body) {
			if err := d.received.validateJSON(schema, line); err != nil {
				return err
			}
		}
		return nil
	default:
		return d.received.validate(schema, string(body))
	}
}

// unread reports whether bodies of a kind have no end to wait for.
func unread(kind string) bool { return kind == "text/event-stream" }

func unpack(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(z)
	return plain, errors.Join(err, z.Close())
}

// short is enough of a body to see what is wrong.
func short(body []byte) string {
	const enough = 2000
	if len(body) > enough {
		return fmt.Sprintf("%s… (%d bytes)", body[:enough], len(body))
	}
	return string(body)
}

package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An Error is an answer other than success.
type Error struct {
	Status     int           // of HTTP
	Code       int           // errorCode of the document's Error; 0 where the answer was plain text
	Message    string        // what was wrong, in the server's words
	RetryAfter time.Duration // when to try again; 0 where the server did not say
}

// Error implements error.
func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the server answers %d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("%s (%d)", e.Message, e.Status)
}

// maxFailure bounds how much of a failure is read, bytes.
const maxFailure = 64 << 10

// failureOf reads and closes an answer that is no success.
func failureOf(res *http.Response) *Error {
	e := &Error{Status: res.StatusCode}
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxFailure)) // half a message is better than none
	_ = res.Body.Close()
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	switch kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind {
	case "application/json":
		var told struct {
			Message   string `json:"message"`
			ErrorCode int    `json:"errorCode"`
		}
		if json.Unmarshal(body, &told) == nil {
			e.Message, e.Code = told.Message, told.ErrorCode
		}
	case "text/plain":
		e.Message = strings.TrimSpace(string(body))
	}
	return e
}

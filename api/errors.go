package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// The codes of error bodies (contract thingsboard 1.5).
const (
	codeGeneral         = 2
	codeUnauthenticated = 10
	codeExpired         = 11
	codeDenied          = 20
	codeBadRequest      = 31
	codeNotFound        = 32
	codeTooMany         = 33
	codeConflict        = 35
	codeQuota           = 41
)

// A verdict is what a client sees of a Kind.
type verdict struct {
	status, code int
	fallback     string // the message of an error that has none for clients
	retry        string // Retry-After, s; "" for none
}

// verdictOf is the one table from kinds of failure to the wire.
func verdictOf(k model.Kind) verdict {
	switch k {
	case model.Invalid:
		return verdict{http.StatusBadRequest, codeBadRequest, "Bad request", ""}
	case model.NotFound:
		return verdict{http.StatusNotFound, codeNotFound, "Requested item wasn't found!", ""}
	case model.Denied:
		return verdict{http.StatusForbidden, codeDenied, "You don't have permission to perform this operation!", ""}
	case model.Conflict:
		return verdict{http.StatusConflict, codeConflict, "The entity was changed by somebody else", ""}
	case model.Overload:
		return verdict{http.StatusServiceUnavailable, codeGeneral, "The server is overloaded, try again later", "1"}
	case model.Unauthenticated:
		return verdict{http.StatusUnauthorized, codeUnauthenticated, "Authentication failed", ""}
	case model.Expired:
		return verdict{http.StatusUnauthorized, codeExpired, "Token has expired", ""}
	case model.TooLarge:
		return verdict{http.StatusRequestEntityTooLarge, codeBadRequest, payloadTooLarge, ""}
	case model.TooMany:
		return verdict{http.StatusTooManyRequests, codeTooMany, "Too many requests", "1"}
	case model.NoSpace:
		return verdict{http.StatusInsufficientStorage, codeGeneral, "The disk of the server is nearly full", ""}
	case model.Quota:
		return verdict{http.StatusForbidden, codeQuota, "There are as many as there may be", ""}
	case model.Damaged:
		return verdict{http.StatusInternalServerError, codeGeneral, "What is stored is damaged", ""}
	}
	return verdict{http.StatusInternalServerError, codeGeneral, "Internal server error", ""}
}

// payloadTooLarge begins every 413 (contract thingsboard 1.6).
const payloadTooLarge = "Payload size exceeds the limit"

// A form is how a group of routes words its failures.
type form uint8

const (
	jsonForm   form = iota // the object of 1.5
	textForm               // the bare message; the object for what never reached the handler
	deviceForm             // the bare message; nothing at all for an unknown token
)

func formOf(path string) form {
	switch {
	case strings.HasPrefix(path, "/api/plugins/telemetry/"):
		return textForm
	case strings.HasPrefix(path, "/api/v1/"):
		return deviceForm
	}
	return jsonForm
}

// A routeError is a failure to route a request or to read its parameters: the handler
// never ran, and the answer is JSON even where handlers answer in text.
type routeError struct {
	status, code int
	message      string
}

func (e *routeError) Error() string { return e.message }

// appendFailure words err for a client: status, content type and body.
func appendFailure(dst []byte, f form, err error, now int64) (v verdict, contentType string, body []byte) {
	var message string
	json := f == jsonForm
	if e, ok := errors.AsType[*routeError](err); ok {
		v, message, json = verdict{status: e.status, code: e.code}, e.message, true
	} else {
		err = clientError(err)
		kind := model.KindOf(err)
		v = verdictOf(kind)
		message = model.MessageOf(err, v.fallback)
		if retry, ok := errors.AsType[*model.RetryError](err); ok {
			v.retry = strconv.FormatInt(seconds(retry.After), 10)
		}
		switch {
		case kind == model.TooLarge:
			json = false
			if !strings.HasPrefix(message, payloadTooLarge) {
				message = payloadTooLarge + ": " + message
			}
		case v.status == http.StatusUnauthorized && f == deviceForm:
			return v, "", dst
		case v.status == http.StatusUnauthorized, v.status == http.StatusTooManyRequests, errors.Is(err, thingsboard.ErrParameter):
			json = f != deviceForm
		}
	}
	rate, isRate := errors.AsType[*model.RateError](err)
	if !json {
		dst = append(dst, message...)
		if isRate {
			dst = append(append(append(dst, " ("...), rate.Limit.String()...), ')')
		}
		return v, "text/plain; charset=utf-8", dst
	}
	limit, limited := errors.AsType[*model.LimitError](err)
	dst = append(dst, `{"status":`...)
	dst = strconv.AppendInt(dst, int64(v.status), 10)
	dst = append(dst, `,"message":`...)
	dst = thingsboard.AppendString(dst, message)
	dst = append(dst, `,"errorCode":`...)
	dst = strconv.AppendInt(dst, int64(v.code), 10)
	dst = append(dst, `,"timestamp":`...)
	dst = strconv.AppendInt(dst, now, 10)
	if limited {
		dst = append(dst, `,"entityType":`...)
		dst = thingsboard.AppendString(dst, string(limit.Type))
		dst = append(dst, `,"limit":`...)
		dst = strconv.AppendInt(dst, limit.Limit, 10)
	}
	if isRate {
		dst = append(dst, `,"limitName":`...)
		dst = thingsboard.AppendString(dst, rate.Limit.String())
	}
	return v, "application/json", append(dst, '}')
}

// clientError gives failures of the standard library that a client caused, or waited for,
// the kind they have.
func clientError(err error) error {
	if _, ok := errors.AsType[*model.Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return model.Errorf(model.TooLarge, "%s of %d bytes", payloadTooLarge, e.Limit)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &model.Error{Kind: model.Internal, Message: "Request timeout", Err: err}
	}
	return err
}

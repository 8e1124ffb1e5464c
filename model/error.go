package model

import (
	"errors"
	"fmt"
	"time"
)

// A Kind is what a caller can do about a failure. Each door translates it once: a status
// in api, a close code in subscriptions/ws.
type Kind uint8

// The kinds.
const (
	Internal        Kind = iota // our fault; details are for the operator only
	Invalid                     // the request breaks a rule its message names
	NotFound                    // it does not exist, or belongs to another tenant
	Denied                      // it exists, but not for this caller
	Conflict                    // somebody else changed it first
	Overload                    // try again later; nothing was written
	Unauthenticated             // who is asking is unknown
	Expired                     // the token was good once: refresh it
	TooLarge                    // a size limit
	TooMany                     // a rate limit or quota
	NoSpace                     // the disk is nearly full; reads go on
	Quota                       // as many of something as there may be: trying again is in vain
	Damaged                     // what was asked for cannot be read; the rest of it can
)

// String returns the name used in logs.
func (k Kind) String() string {
	names := [...]string{"internal", "invalid", "not found", "denied", "conflict", "overload",
		"unauthenticated", "expired", "too large", "too many", "no space", "quota", "damaged"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind%d", uint8(k))
}

// An Error is a failure with an audience. Message is safe to show a client; Err is for the
// operator and never leaves the process.
type Error struct {
	Kind    Kind
	Message string
	Err     error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	if e.Message == "" {
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error of kind with a message for the client.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Invalidf returns an Error of kind Invalid.
func Invalidf(format string, args ...any) *Error { return Errorf(Invalid, format, args...) }

// NotFoundf returns an Error of kind NotFound.
func NotFoundf(format string, args ...any) *Error { return Errorf(NotFound, format, args...) }

// KindOf reports the kind of the first Error in err's tree, or Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// MessageOf returns what a client may read of err: the message of the first Error in its
// tree, or fallback.
func MessageOf(err error, fallback string) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Message != "" {
		return e.Message
	}
	return fallback
}

// A RetryError says when to try again. It stands behind an Error of kind TooMany or Overload.
type RetryError struct{ After time.Duration }

func (e *RetryError) Error() string { return "retry after " + e.After.String() }

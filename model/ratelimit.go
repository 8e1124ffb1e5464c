package model

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Rate is a limit over time: Count at once, which come back evenly, all of them in a Window.
type Rate struct {
	Count  int64
	Window time.Duration // whole seconds
}

// Bounds of a rate. More windows than a few say nothing new, and each is asked at every request.
const (
	maxRates       = 8
	maxRateCount   = 1_000_000_000_000
	maxRateSeconds = 10 * 366 * 24 * 3600
)

// String returns the form in which ParseRates reads a rate.
func (r Rate) String() string { return fmt.Sprintf("%d:%d", r.Count, int64(r.Window/time.Second)) }

// ParseRates reads "count:seconds,count:seconds" (contract thingsboard 2.5). An empty text has
// no rates, which means no limit.
func ParseRates(text string) ([]Rate, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) > maxRates {
		return nil, Invalidf("has more than %d windows", maxRates)
	}
	rates := make([]Rate, 0, len(parts))
	for _, part := range parts {
		before, after, _ := strings.Cut(part, ":")
		count, ok := digits(before, maxRateCount)
		seconds, ok2 := digits(after, maxRateSeconds)
		if !ok || !ok2 {
			return nil, Invalidf("is not of the form count:seconds,count:seconds")
		}
		rates = append(rates, Rate{Count: count, Window: time.Duration(seconds) * time.Second})
	}
	return rates, nil
}

// digits reads a number from 1 to most that is nothing but digits.
func digits(text string, most int64) (int64, bool) {
	if strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 1 && n <= most
}

// A RateLimit is one of the limits over time that a tenant's profile may set.
type RateLimit uint8

// The limits over time. What counts as a request, a message and a point says package ratelimit.
const (
	TenantRequests RateLimit = iota
	CustomerRequests
	UserRequests
	TenantMessages
	TenantTelemetry
	TenantPoints
	DeviceMessages
	DeviceTelemetry
	DevicePoints
	SessionUpdates
	SessionCommands
	RateLimitCount // how many there are
)

var rateLimits = [RateLimitCount]struct {
	name  string
	scope LimitScope
	unit  string
}{
	TenantRequests:   {"tenantServerRestLimitsConfiguration", LimitOfTenant, "requests"},
	CustomerRequests: {"customerServerRestLimitsConfiguration", LimitOfCustomer, "requests"},
	UserRequests:     {"userServerRestLimitsConfiguration", LimitOfUser, "requests"},
	TenantMessages:   {"transportTenantMsgRateLimit", LimitOfTenant, "messages"},
	TenantTelemetry:  {"transportTenantTelemetryMsgRateLimit", LimitOfTenant, "messages"},
	TenantPoints:     {"transportTenantTelemetryDataPointsRateLimit", LimitOfTenant, "points"},
	DeviceMessages:   {"transportDeviceMsgRateLimit", LimitOfDevice, "messages"},
	DeviceTelemetry:  {"transportDeviceTelemetryMsgRateLimit", LimitOfDevice, "messages"},
	DevicePoints:     {"transportDeviceTelemetryDataPointsRateLimit", LimitOfDevice, "points"},
	SessionUpdates:   {"wsUpdatesPerSessionRateLimit", LimitOfSession, "updates"},
	SessionCommands:  {"wsCommandsPerSessionRateLimit", LimitOfSession, "commands"},
}

// String returns the limit's name: that of the member of the profile which sets it.
func (l RateLimit) String() string { return rateLimits[l].name }

// Scope returns whose use counts together.
func (l RateLimit) Scope() LimitScope { return rateLimits[l].scope }

// Unit returns what is counted.
func (l RateLimit) Unit() string { return rateLimits[l].unit }

// A LimitScope says whose use a limit counts together.
type LimitScope string

// The scopes.
const (
	LimitOfServer   LimitScope = "SERVER" // of everybody, one at a time
	LimitOfTenant   LimitScope = "TENANT"
	LimitOfCustomer LimitScope = "CUSTOMER"
	LimitOfUser     LimitScope = "USER"
	LimitOfDevice   LimitScope = "DEVICE"
	LimitOfSession  LimitScope = "SESSION"
)

// A LimitUse is a limit in force, and what was used of it.
type LimitUse struct {
	Name  string
	Scope LimitScope
	Unit  string
	Limit int64
	// Window is the time in which Limit counts; zero for a limit that is not over time.
	Window time.Duration
	// Used is what counts at present; -1 for a limit of each single request, of which nothing
	// is used in between.
	Used int64
	// Reset is how long until nothing counts any more, if nothing is added; of limits over time.
	Reset time.Duration
}

// Remaining returns what may still be used at once.
func (u *LimitUse) Remaining() int64 { return max(0, u.Limit-max(0, u.Used)) }

// A RateError says which limit over time was met. Its kind is TooMany.
type RateError struct {
	Limit RateLimit
	Rate  Rate // the window of it that is full
	// Standing is how all windows stand that were asked.
	Standing []LimitUse
	// After is when the same is let through, if nothing else comes in between.
	After time.Duration
}

func (e *RateError) Error() string {
	return fmt.Sprintf("%s of %s is met: try again in %s", e.Limit, e.Rate, e.After)
}

// Unwrap gives the error its kind, its words for clients (contract thingsboard 2.5) and the
// time to wait.
func (e *RateError) Unwrap() error {
	message := fmt.Sprintf("Too many %s for current %s!", e.Limit.Unit(), strings.ToLower(string(e.Limit.Scope())))
	return &Error{Kind: TooMany, Message: message, Err: &RetryError{After: e.After}}
}

package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidewire/tidewire/model"
)

// Quotas count what callers and devices do over time. Its errors are a *model.RateError, or
// TooLarge for what may never come at once.
type Quotas interface {
	// Request counts a request and says how its limits stand then; nil when it has none.
	Request(model.Principal) ([]model.LimitUse, error)
	// Message counts a message of a device; no points mean that it brings no values.
	Message(e *model.Entity, points int) error
	// Busy says, without counting, whether any message of a device would be refused.
	Busy(e *model.Entity, telemetry bool) error
	Counted
}

// Counted know limits and what is used of them: those that count what p does and, where device
// is not nil, those of that device.
type Counted interface {
	Use(p model.Principal, device *model.Entity) []model.LimitUse
}

// unlimited stands for quotas nobody set.
type unlimited struct{}

func (unlimited) Request(model.Principal) ([]model.LimitUse, error)       { return nil, nil }
func (unlimited) Message(*model.Entity, int) error                        { return nil }
func (unlimited) Busy(*model.Entity, bool) error                          { return nil }
func (unlimited) Use(model.Principal, *model.Entity) (l []model.LimitUse) { return l }

// tellRates sets the header fields that say how the limits stand which counted a request: those of
// the current draft of RateLimit header fields for each of them, and the three of earlier drafts,
// which is what clients in the field know, for the one that has the least left.
func tellRates(header http.Header, limits []model.LimitUse) {
	if len(limits) == 0 {
		return
	}
	least := &limits[0]
	var policy, standing strings.Builder
	for i := range limits {
		l := &limits[i]
		if l.Remaining() < least.Remaining() {
			least = l
		}
		if i > 0 {
			policy.WriteString(", ")
			standing.WriteString(", ")
		}
		window := seconds(l.Window)
		fmt.Fprintf(&policy, `"%s/%ds";q=%d;w=%d`, l.Name, window, l.Limit, window)
		fmt.Fprintf(&standing, `"%s/%ds";r=%d;t=%d`, l.Name, window, l.Remaining(), seconds(l.Reset))
	}
	header.Set("RateLimit-Limit", strconv.FormatInt(least.Limit, 10))
	header.Set("RateLimit-Remaining", strconv.FormatInt(least.Remaining(), 10))
	header.Set("RateLimit-Reset", strconv.FormatInt(seconds(least.Reset), 10))
	header.Set("RateLimit-Policy", policy.String())
	header.Set("RateLimit", standing.String())
}

// seconds rounds up: who waits that long has waited enough.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

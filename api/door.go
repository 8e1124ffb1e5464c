package api

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// devicePath is the route most requests come to: a device that sends one row. What every
// request goes through on its way to a generated handler takes as long as storing that row,
// so a plain request to it takes a shorter way to the same code.
const devicePath = "/api/v1/:deviceToken/telemetry"

// isPlain reports whether r needs nothing but its body read: it is a POST of a known length
// within the limit, not compressed, not from a foreign page, with nothing escaped in its path.
func isPlain(r *http.Request, limit int64) bool {
	return r.Method == http.MethodPost && r.ContentLength > 0 && r.ContentLength <= limit && r.URL.RawPath == "" &&
		len(r.Header["Content-Encoding"]) == 0 && len(r.Header["Origin"]) == 0
}

// deviceDoor does for a plain request what admit, the generated layer and
// PostDeviceTelemetry do. Nobody touches the headers of the empty answer: net/http copies
// them once somebody does.
func (s *Server) deviceDoor(c echo.Context) error {
	r := c.Request()
	ctx := &request{Context: r.Context(), http: r, server: s}
	defer ctx.wait.end()
	err := s.post(ctx, c.Param("deviceToken"), r.Body, s.deviceTelemetry)
	if err != nil {
		header := c.Response().Header()
		header["X-Content-Type-Options"], header["Cache-Control"] = nosniff, noStore
	}
	return err
}

package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tidewire/tidewire/model"
)

// around does for every request what no handler should have to think of: headers, limits,
// who asks, recovery, the log.
func (s *Server) around(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		start := s.Now()
		defer func() {
			switch p := recover().(type) {
			case nil:
			case aborted:
				s.log(c, start, p.err)
				panic(http.ErrAbortHandler) // net/http closes the connection and is silent
			default:
				if e, ok := p.(error); ok && errors.Is(e, http.ErrAbortHandler) {
					panic(p)
				}
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
			if err != nil {
				if formOf(c.Request().URL.Path) == deviceForm {
					device, _ := s.Registry.DeviceByToken(c.Param("deviceToken"))
					s.refused(c, model.Principal{}, device, err)
				}
				s.fail(err, c)
			}
			s.log(c, start, err)
			err = nil
		}()
		return s.admit(c, next)
	}
}

// publicBody bounds what is read of somebody not known yet.
const publicBody = 64 << 10

// admit lets a request through to its handler.
func (s *Server) admit(c echo.Context, next echo.HandlerFunc) error {
	r := c.Request()
	if c.Path() == devicePath && isPlain(r, s.Limits.DeviceBody) {
		return s.deviceDoor(c)
	}
	header := c.Response().Header()
	s.harden(header, r)
	path := r.URL.Path
	if !isAPI(path) {
		return s.page(c, next)
	}
	header["Cache-Control"] = noStore
	dropEmpty(r.URL)
	switch asked, err := s.cors(header, r); {
	case err != nil:
		s.refused(c, model.Principal{}, nil, err)
		return err
	case asked:
		c.Response().WriteHeader(http.StatusNoContent)
		return nil
	}
	route := c.Path()
	limit := s.Limits.Body
	switch {
	case strings.HasPrefix(path, "/api/v1/"):
		limit = s.Limits.DeviceBody
	case isPublic(path):
		limit = min(limit, publicBody)
	}
	req := &request{Context: r.Context(), http: r, server: s}
	if route != "" && !isPublic(route) {
		p, err := s.authenticate(r)
		if err != nil {
			s.refused(c, p, nil, err)
			return err
		}
		req.principal = p
		standing, err := s.Quotas.Request(p)
		tellRates(header, standing)
		if err != nil {
			s.refused(c, p, nil, err)
			return err
		}
	}
	if err := openBody(c.Response().Writer, r, limit); err != nil {
		return err
	}
	if strings.HasPrefix(route, "/api/ws") {
		return next(c) // a session outlives every timeout
	}
	defer req.wait.end()
	c.SetRequest(r.WithContext(req))
	return next(c)
}

// page answers outside /api/: operations, and for all that no route matches the web app,
// which routes by itself in the browser.
func (s *Server) page(c echo.Context, next echo.HandlerFunc) error {
	r := c.Request()
	if c.Path() != "" {
		return next(c)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return echo.ErrMethodNotAllowed
	}
	s.ui.ServeHTTP(c.Response(), r)
	return nil
}

func isAPI(path string) bool { return strings.HasPrefix(path, "/api/") || path == "/api" }

// fail answers a failure. It is the only place that writes one.
func (s *Server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	r := c.Request()
	path := r.URL.Path
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		err = fromEcho(e, r)
	}
	v, contentType, body := appendFailure(nil, formOf(path), err, s.Now().UnixMilli())
	header := c.Response().Header()
	if v.retry != "" {
		header.Set("Retry-After", v.retry)
	}
	if rate, ok := errors.AsType[*model.RateError](err); ok {
		tellRates(header, rate.Standing)
	}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	c.Response().WriteHeader(v.status)
	if r.Method != http.MethodHead {
		// A client that is gone does not miss the answer.
		_, _ = c.Response().Write(body)
	}
}

// fromEcho words what the router and the generated parameter binding found.
func fromEcho(e *echo.HTTPError, r *http.Request) error {
	switch {
	case e.Code == http.StatusMethodNotAllowed && isLogin(r.URL.Path) && r.URL.Path != "/api/auth/token":
		return &routeError{http.StatusUnauthorized, codeUnauthenticated, "Authentication method not supported"}
	case e.Code == http.StatusMethodNotAllowed:
		return &routeError{e.Code, codeBadRequest, "Request method '" + r.Method + "' is not supported"}
	case e.Code == http.StatusNotFound:
		return &routeError{e.Code, codeNotFound, "The requested endpoint does not exist"}
	}
	return &routeError{http.StatusBadRequest, codeBadRequest, parameterProblem(fmt.Sprint(e.Message), r)}
}

// parameterProblem words what the generated layer found wrong with a parameter, which it
// tells in the terms of Go's types.
func parameterProblem(found string, r *http.Request) string {
	const prefix, uuid = "Invalid format for parameter ", "Invalid UUID string: "
	name, cause, ok := strings.Cut(strings.TrimPrefix(found, prefix), ": ")
	if !ok || !strings.HasPrefix(found, prefix) {
		return found
	}
	if strings.HasSuffix(cause, " is required") {
		return "Required request parameter '" + name + "' is not present"
	}
	if at := strings.Index(cause, uuid); at >= 0 {
		return cause[at:]
	}
	if query := r.URL.Query(); query.Has(name) {
		return fmt.Sprintf("Invalid value '%.64s' of parameter '%s'", query.Get(name), name)
	}
	return "Invalid value of parameter '" + name + "'"
}

// log records one request by its route, never by its address: device tokens and query
// tokens stand in addresses.
func (s *Server) log(c echo.Context, start time.Time, err error) {
	status := c.Response().Status
	level := slog.LevelDebug
	// Overload and a full disk have their own events: a line a request would add to them.
	if status == http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		level = slog.LevelError
	}
	ctx := c.Request().Context()
	if !s.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", c.Request().Method),
		slog.String("route", c.Path()),
		slog.Int("status", status),
		slog.Duration("duration", s.Now().Sub(start)),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	s.Log.LogAttrs(ctx, level, "request", attrs...)
}

// extractor returns how the client's address is found: the peer, or behind trusted proxies
// the last address in X-Forwarded-For that is not one of theirs.
func extractor(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range trusted {
		options = append(options, echo.TrustIPRange(&net.IPNet{
			IP:   p.Addr().AsSlice(),
			Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}

// isTrusted reports whether the peer is a trusted proxy.
func (s *Server) isTrusted(r *http.Request) bool {
	if len(s.TrustedProxies) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, p := range s.TrustedProxies {
		if p.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

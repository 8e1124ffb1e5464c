package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	tidewire "github.com/tidewire/tidewire"
	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// A Server answers HTTP. Use New.
type Server struct {
	Deps

	auth  *auth.Service
	guard *auth.Guard
	echo  *echo.Echo
	ui    *ui

	giants giants

	strangers, known refusals
	exports          exports

	setup struct {
		sync.Mutex
		token string // "" once spent
	}
}

// New returns a server over d. Nothing runs until its handler is called.
func New(d Deps) (*Server, error) {
	d = d.withDefaults()
	if d.Finder == nil {
		d.Finder = NewFinder(d.Registry, d.Guard, d.Store, d.Now)
	}
	s := &Server{Deps: d, auth: d.Auth, guard: d.Guard, echo: echo.New()}
	s.setup.token = d.SetupToken
	s.Store = viewStore{d.Store, d.Registry}
	s.giants = make(giants, maxGiants)
	s.exports.running = map[model.TenantID]int{}
	var err error
	if s.ui, err = newUI(d.Assets); err != nil {
		return nil, fmt.Errorf("read the web app: %w", err)
	}
	s.routes()
	return s, nil
}

// Handler returns the whole surface: REST, device API, sockets, web app, operations.
func (s *Server) Handler() http.Handler { return heads{s.echo} }

func (s *Server) routes() {
	e := s.echo
	e.HideBanner, e.HidePort = true, true
	e.Binder = binder{}
	e.IPExtractor = extractor(s.TrustedProxies)
	e.HTTPErrorHandler = s.fail
	e.Use(s.around)
	RegisterHandlers(e, NewStrictHandler(s, []StrictMiddlewareFunc{s.audited}))

	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok") })
	e.GET("/readyz", s.readyz)
	for path, document := range map[string][]byte{"/openapi.yaml": tidewire.OpenAPI, "/asyncapi.yaml": tidewire.AsyncAPI} {
		e.GET(path, func(c echo.Context) error { return c.Blob(http.StatusOK, "application/yaml", document) })
	}
	if s.Metrics != nil {
		e.GET("/metrics", echo.WrapHandler(s.Metrics))
	}
	if s.Live != nil {
		e.GET("/api/ws", s.live)
		e.GET("/api/ws/*", s.live)
	}
	if s.Events != nil {
		e.GET(eventsPath, s.events)
	}
}

// eventsPath is the route of server-sent events.
const eventsPath = "/api/live"

// events hands the connection over as live does.
func (s *Server) events(c echo.Context) error {
	r := c.Request()
	return s.Events(c.Response().Writer, r, caller(r.Context()))
}

// live hands the connection over with net/http's own writer: Echo's goes back into a pool
// while the session lives on.
func (s *Server) live(c echo.Context) error {
	if err := s.checkSocketOrigin(c.Request()); err != nil {
		s.refused(c, model.Principal{}, nil, err)
		return err
	}
	s.Live.ServeHTTP(c.Response().Writer, c.Request())
	return nil
}

func (s *Server) readyz(c echo.Context) error {
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			return c.String(http.StatusServiceUnavailable, err.Error())
		}
	}
	return c.String(http.StatusOK, "ok")
}

// A binder decodes entities for the generated layer, in place of Echo's, which wants a JSON
// Content-Type, takes curl's default for a form, and overlooks what follows the object.
type binder struct{}

// Bind implements echo.Binder.
func (binder) Bind(dst any, c echo.Context) error {
	err := decodeEntity(c.Request().Body, dst)
	if model.KindOf(err) == model.Invalid && isLogin(c.Path()) {
		// Who sends no credentials is nobody (contract thingsboard 2.1).
		return &model.Error{Kind: model.Unauthenticated, Message: "Authentication failed", Err: err}
	}
	return err
}

// Timeouts of a connection. A body may take long over a thin line, and so may an answer;
// answers sent in chunks move the deadline with each.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 5 * time.Minute
	writeTimeout  = 6 * time.Minute // it begins with the request, so it covers reading too
	idleTimeout   = 2 * time.Minute
)

// httpServer bounds everything a connection may take: Go's own defaults bound nothing.
func (s *Server) httpServer() *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    s.Limits.Header,
		// Broken handshakes and clients that hang up are their own problem.
		ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
}

// Serve answers on l until ctx ends, then refuses new connections, lets open requests end,
// and returns nil. Sockets, which are hijacked connections, are the owner's of Deps.Live to
// close.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := s.httpServer()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Limits.Drain)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("drain requests: %w", err), server.Close())
	}
	if stopped := <-failed; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	return err
}

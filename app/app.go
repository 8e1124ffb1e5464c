// Package app builds the server from its parts, runs it, and takes it down in exactly the
// reverse order.
//
//	registry ─ auth ─┐
//	hub ─► tsdb ─► pipeline ─► api ─► listener
//	  └──────────────── ws ────┘
//
// It is the one place that sees every package. A server is a value: tests start the real
// one on port 0.
package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/entityquery"
	"github.com/tidewire/tidewire/ingest"
	"github.com/tidewire/tidewire/mail"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/ratelimit"
	"github.com/tidewire/tidewire/registry"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/subscriptions/ws"
	"github.com/tidewire/tidewire/tsdb"
	"github.com/tidewire/tidewire/views"
	"github.com/tidewire/tidewire/web"
)

type clock = func() time.Time

// The limits of one write set, in all layers: what the pipeline lets through the engine
// must take. A device that sends more at once splits its message.
const (
	maxKeys   = 10_000
	maxPoints = 2_000_000
	maxBytes  = 64 << 20
)

// Run builds the server, serves until ctx ends or a part fails, and takes it down. It
// writes to out, once it serves, where it can be reached, and logs to log.
func Run(ctx context.Context, cfg Config, log *slog.Logger, out io.Writer) (err error) {
	if cfg, err = cfg.withDefaults(); err != nil {
		return err
	}
	limitMemory(log)
	defer paceCollector()()
	var opened stack
	defer func() { err = errors.Join(err, opened.close()) }()

	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	parts, err := open(ctx, cfg, log, &opened)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return listenError(cfg.Listen, err)
	}
	public := cfg.URL // not told, links lead to where the request came from
	if cfg.URL == "" {
		cfg.URL = localURL(listener.Addr(), cfg.TLSCert != "")
	}
	if listener, err = secure(listener, cfg); err != nil {
		return err
	}
	welcome, err := parts.prepare(ctx, cfg)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server, err := api.New(parts.deps(ctx, cfg, log, public, welcome.setupToken))
	if err != nil {
		return errors.Join(fmt.Errorf("set up the REST interface: %w", err), listener.Close())
	}

	parts.server = server
	doors, serving := errgroup.WithContext(ctx)
	doors.Go(func() error { return server.Serve(serving, listener) })
	doors.Go(func() error { // sockets end when the requests do: before the engine, told why
		<-serving.Done()
		return parts.live.Shutdown(context.WithoutCancel(serving))
	})
	doors.Go(func() error { return parts.failure(serving) })
	if chores := parts.chores(cfg); chores != nil {
		doors.Go(func() error { return chores(serving) })
	}
	if parts.demo != nil {
		doors.Go(func() error { return parts.demo.run(serving, cfg.Now) })
	}
	welcome.print(out, cfg)
	err = doors.Wait()
	if exit, ok := errors.AsType[*ExitError](err); ok && exit.Code == ExitStorage {
		opened = nil // nothing below can be closed in order: its disk does not answer
		return err
	}
	log.Info("stopping")
	return err
}

// listenError gives the commonest reason a server cannot listen a clear sentence.
func listenError(address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("another process listens on %s: stop it first, or choose another address with --listen", address)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // the rest of it repeats the address
	}
	return fmt.Errorf("listen on %s: %w", address, err)
}

// parts are what the doors work with.
type parts struct {
	registry *registry.Registry
	auth     *auth.Service
	guard    *auth.Guard
	hub      *subscriptions.Hub
	db       *tsdb.DB
	pipeline *ingest.Pipeline
	live     *ws.Server
	server   *api.Server // the door of live, too; set before anybody comes through it
	rates    *ratelimit.Limiter
	finder   *entityquery.Finder
	mail     *mail.Queue
	demo     *demonstration
	backups  *backups

	policies atomic.Pointer[registry.Registry] // nil until it is open

	failed  chan error  // of the engine's log; at most one
	serving atomic.Bool // live is there: the registry changes before it is
}

// An engine is what the registry needs of what holds the series.
type engine struct {
	*tsdb.DB
	*views.Copier
}

// open opens the parts from the bottom up and pushes what closes them.
func open(ctx context.Context, cfg Config, log *slog.Logger, opened *stack) (*parts, error) {
	p := &parts{failed: make(chan error, 1)}
	p.hub = subscriptions.New(subscriptions.Options{})

	var err error
	// The engine comes first: its lock is what refuses a second process.
	if p.db, err = tsdb.Open(filepath.Join(cfg.DataDir, engineDir), rehearsed(p.engineOptions(cfg, log))); err != nil {
		return nil, openError(cfg.DataDir, err)
	}
	opened.push(p.db.Close)
	p.hub.Start(p.db)
	opened.push(func() error { p.hub.Close(); return nil })

	keys, err := registry.OpenKeys(cfg.DataDir, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("open the keys: %w", err)
	}
	if p.registry, err = registry.Open(ctx, p.registryOptions(cfg, keys, log)); err != nil {
		return nil, fmt.Errorf("open the registry: %w", err)
	}
	opened.push(p.registry.Close)
	p.registry.Start(engine{p.db, &views.Copier{Store: p.db, Now: func() int64 { return cfg.Now().UnixMilli() }}})
	p.policies.Store(p.registry)
	p.backups = &backups{root: cfg.BackupDir, registry: p.registry, db: p.db, now: cfg.Now}
	opened.push(p.backups.close)

	if p.auth, err = auth.New(p.registry, keys.Tokens, auth.Options{Now: cfg.Now, OldKeys: keys.OldTokens}); err != nil {
		return nil, fmt.Errorf("set up authentication: %w", err)
	}
	p.guard = auth.NewGuard(p.registry)
	p.rates = ratelimit.New(ratelimit.Options{Limits: p.registry.TenantLimits, Now: cfg.Now})
	p.pipeline = ingest.New(ingest.Options{
		Admit:  p.rates.Message,
		Store:  p.db,
		Limits: ingest.Limits{Keys: maxKeys, Points: maxPoints, Bytes: maxBytes},
		Lookup: p.registry.Lookup,
		Erase: func(ctx context.Context, t model.TenantID, e model.EntityID) error {
			_, err := p.db.DeleteEntity(ctx, t, e)
			return err
		},
		OnError: func(err error) {
			log.Warn("device activity is not recorded", "error", err)
		},
		Now: cfg.Now,
	})
	p.pipeline.Start(p.registry.AllDevices())
	opened.push(p.pipeline.Close)

	p.finder = api.NewFinder(p.registry, p.guard, p.db, cfg.Now)
	p.live = ws.New(ws.Deps{
		Hub: p.hub, Verify: p.auth.Verify, Allow: p.allowLive, Current: p.auth.Current, TenantLimits: p.registry.TenantLimits, Window: p.registry.Window,
		Logins:   func(r *http.Request) func(model.Principal, error) { return p.server.SocketLogin(r) },
		Entities: p.finder, Now: cfg.Now, Log: log, Limits: ws.Limits{Buckets: cfg.MaxBuckets},
	})
	p.serving.Store(true)
	opened.push(func() error { return p.live.Shutdown(context.WithoutCancel(ctx)) })
	var sender mail.Sender = mail.Log{Log: log}
	if cfg.Mail.Addr != "" {
		sender = &cfg.Mail
	}
	p.mail = mail.New(sender, mail.Options{Log: log})
	opened.push(p.mail.Close)
	if cfg.Demo {
		p.demo = &demonstration{registry: p.registry, auth: p.auth, pipeline: p.pipeline, log: log, dataDir: cfg.DataDir}
	}
	return p, nil
}

// engineOptions is what cfg says about the engine.
func (p *parts) engineOptions(cfg Config, log *slog.Logger) tsdb.Options {
	return tsdb.Options{
		HeadBytes: cfg.HeadBytes,
		MinFree:   cfg.MinFree,
		Limits: tsdb.Limits{
			Keys: maxKeys, Points: maxPoints, SetBytes: maxBytes,
			DeviceSeries: cfg.MaxDeviceSeries, TenantSeries: cfg.MaxTenantSeries,
		},
		// What waits must at least hold the largest set.
		PendingBytes: 2 * maxBytes,
		MaxDiskBytes: cfg.MaxDisk,
		Retention:    p.keep,
		Changes:      p.hub,
		Events:       p.events(log),
		Now:          cfg.Now,
	}
}

// registryOptions is what cfg says about the registry.
func (p *parts) registryOptions(cfg Config, keys *registry.Keys, log *slog.Logger) registry.Options {
	return registry.Options{
		Dir: cfg.DataDir, Keys: keys, Now: cfg.Now, RightsChanged: p.recheck,
		KeepTimeseries: model.Keep{Time: int64(cfg.KeepDays) * dayMillis},
		KeepAttributes: model.Keep{Time: int64(cfg.KeepAttributeDays) * dayMillis, Versions: cfg.KeepAttributeVersions},
		AuditDays:      cfg.AuditDays,
		EraseFailed: func(e model.EntityID, err error) {
			log.Warn("deleted telemetry is not erased yet", "entity", e, "error", err)
		},
	}
}

const dayMillis = 24 * 3600 * 1000

// keep tells the engine, which opens before the registry, what it keeps of a series.
func (p *parts) keep(t model.TenantID, e model.EntityID, s model.Scope, key string) model.Keep {
	r := p.policies.Load()
	if r == nil {
		return model.Keep{}
	}
	return r.Keep(t, e, s, key)
}

// events connects what the engine observes with the log, and its end with ours.
func (p *parts) events(log *slog.Logger) tsdb.Events {
	return tsdb.Events{
		Flushed: func(i tsdb.FlushInfo) {
			log.Debug("flushed", "rows", i.Rows, "groups", i.Groups, "row_groups", i.RowGroups, "bytes", i.Bytes, "took", i.Took)
		},
		Failed: func(err error) { log.Error("background work failed and is tried again", "error", err) },
		Space: func(i tsdb.SpaceInfo) {
			if i.Low {
				log.Error("the disk is nearly full: writes are refused, reads and deletes go on", "free", i.Free, "min_free", i.Min)
			} else {
				log.Info("the disk has room again: writes are taken", "free", i.Free, "min_free", i.Min)
			}
		},
		Near: func(i tsdb.LimitInfo) {
			args := []any{"limit", i.Limit, "value", i.Value, "max", i.Max}
			if i.Tenant != (model.TenantID{}) {
				args = append(args, "tenant", i.Tenant)
			}
			if i.Entity != (model.EntityID{}) {
				args = append(args, "entity", i.Entity, "scope", i.Scope)
			}
			log.Warn("a limit is near", args...)
		},
		Behind: func(b tsdb.BehindInfo) {
			log.Error("a consumer has lost entries: the log went on without it", "consumer", b.Consumer, "from", b.From, "to", b.To)
		},
		Expired: func(r tsdb.ExpireReport) {
			log.Info("retention", "partitions", r.Partitions, "dropped", r.Dropped, "trimmed", r.Trimmed, "took", r.Took)
		},
		DiskCeiling: func(i tsdb.DiskCeilingInfo) {
			from, to := time.UnixMilli(i.From).UTC().Format(time.DateOnly), time.UnixMilli(i.To).UTC().Format(time.DateOnly)
			if i.Exceeded {
				log.Error("telemetry takes more of the disk than its ceiling, and all of it is of the present month, which stays, or no time series",
					"bytes", i.Bytes, "max", i.Max)
				return
			}
			if i.Dropped {
				log.Error("the oldest telemetry was dropped: the disk is full to its ceiling", "from", from, "to", to, "bytes", i.Bytes, "max", i.Max)
				return
			}
			log.Warn("the oldest telemetry will be dropped when the ceiling of the disk is met", "from", from, "to", to, "bytes", i.Bytes, "max", i.Max)
		},
		Damaged: func(err error) {
			args := []any{"error", err}
			if damage, ok := errors.AsType[*model.DamageError](err); ok {
				args = append(args, "tenant", damage.Places[0].Tenant)
			}
			log.Error("damage on disk", args...)
		},
		Fatal: func(err error) {
			select {
			case p.failed <- err:
			default: // the process is ending already
			}
		},
	}
}

// failure waits for the end of the engine's log. Nothing is acknowledged after it, so the
// process ends at once, without the flush that an orderly stop does.
func (p *parts) failure(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-p.failed:
		return &ExitError{Code: ExitStorage, Err: fmt.Errorf("the disk failed under a write: %w", err)}
	}
}

// recheck has open sockets ask again for what they may see.
func (p *parts) recheck() {
	if p.serving.Load() {
		p.live.Recheck()
	}
}

// allowLive is the guard as the sockets see it.
func (p *parts) allowLive(who model.Principal, a ws.Access, ref model.EntityRef) (*model.Entity, error) {
	op := auth.ReadTelemetry
	if a == ws.ReadAttributes {
		op = auth.ReadAttributes
	}
	return p.guard.Allow(who, op, ref)
}

// deps is what the REST interface works with. It is ready until ctx ends.
func (p *parts) deps(ctx context.Context, cfg Config, log *slog.Logger, public, setupToken string) api.Deps {
	var proxies []netip.Prefix
	for _, s := range cfg.TrustedProxies {
		proxies = append(proxies, netip.MustParsePrefix(s)) // withDefaults has parsed it
	}
	return api.Deps{
		Auth: p.auth, Guard: p.guard, Registry: p.registry, Store: p.db, Writer: p.pipeline, Activity: p.pipeline, Finder: p.finder,
		Backups: p.backups, Losses: p.db, Quotas: p.rates, Counted: []api.Counted{seriesCount{p.db}, p.live},
		Live: p.live, Events: p.live.ServeEvents, Metrics: p.metrics(), Assets: web.Assets(),
		SetupToken: setupToken, PublicURL: public, LocalURL: cfg.URL, UserTokens: cfg.UserTokens, Mail: p.mail, TrustedProxies: proxies, CORSOrigins: cfg.CORSOrigins,
		Ready: func() error {
			if ctx.Err() != nil {
				return errors.New("stopping")
			}
			return nil
		},
		Now: cfg.Now, Log: log, KeepNumericStrings: cfg.KeepNumericStrings, Limits: api.Limits{Drain: cfg.Drain, Buckets: cfg.MaxBuckets, String: cfg.MaxStringLength},
	}
}

// A welcome is what a start has to say.
type welcome struct {
	setupToken string // "" when there is a tenant already
	logins     []login
}

// prepare makes the demonstration's accounts and the token of the setup link.
func (p *parts) prepare(ctx context.Context, cfg Config) (welcome, error) {
	var w welcome
	var err error
	if p.demo != nil {
		if w.logins, err = p.demo.prepare(ctx); err != nil {
			return w, err
		}
	}
	tenants, err := p.registry.Tenants(ctx, model.TenantFilter{}, model.PageLink{Size: 2})
	if err != nil {
		return w, fmt.Errorf("list tenants: %w", err)
	}
	for _, t := range tenants.Data {
		if !isDemo(&t) {
			return w, nil // the first run is done
		}
	}
	token := make([]byte, 24)
	if _, err := rand.Read(token); err != nil {
		return w, fmt.Errorf("make the setup link: %w", err)
	}
	w.setupToken = base64.RawURLEncoding.EncodeToString(token)
	return w, nil
}

// print tells how to reach the server. Passwords appear here and nowhere else.
func (w welcome) print(out io.Writer, cfg Config) {
	fmt.Fprintf(out, "Tidewire keeps its data in %s\n", cfg.DataDir)
	fmt.Fprintf(out, "  %-21s %s\n", "open", cfg.URL)
	if w.setupToken != "" {
		fmt.Fprintf(out, "  %-21s %s/setup?token=%s   (works once)\n", "set up", cfg.URL, w.setupToken)
	}
	for _, l := range w.logins {
		fmt.Fprintf(out, "  %-21s %-21s password %s\n", l.role, l.email, l.password)
	}
}

// secure wraps the listener in TLS when there is a certificate.
func secure(l net.Listener, cfg Config) (net.Listener, error) {
	if cfg.TLSCert == "" {
		return l, nil
	}
	pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the certificate: %w", err), l.Close())
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}), nil
}

// localURL is how a browser on this machine reaches the listener.
func localURL(addr net.Addr, tls bool) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String()
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

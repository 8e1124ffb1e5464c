package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/demo"
	"github.com/tidewire/tidewire/ingest"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/registry"
)

// What the demonstration is called.
const (
	demoTenant    = "Tidewire demonstration"
	demoAdmin     = "admin@demo.tidewire"
	demoUser      = "user@demo.tidewire"
	demoMachine   = "This machine"
	demoDashboard = "Tidewire demonstration"
)

// demoMark stands in a tenant's free object, so that a later start finds the tenant even
// when its title was changed.
const demoMark = `{"demo":true}`

// A demonstration owns what --demo shows.
type demonstration struct {
	registry *registry.Registry
	auth     *auth.Service
	pipeline *ingest.Pipeline
	log      *slog.Logger
	dataDir  string

	tenant model.TenantID
}

// A login is an account that was made just now, with the only copy of its password.
type login struct{ role, email, password string }

// prepare makes tenant and users when they do not exist, and returns those it made.
func (d *demonstration) prepare(ctx context.Context) ([]login, error) {
	tenant, err := findDemo(ctx, d.registry)
	if err != nil {
		return nil, err
	}
	if tenant != nil {
		d.tenant = tenant.ID
		return nil, nil
	}
	t := &model.Tenant{Title: demoTenant, Info: []byte(demoMark)}
	if err := d.registry.SaveTenant(ctx, t); err != nil {
		return nil, fmt.Errorf("make the demonstration's tenant: %w", err)
	}
	d.tenant = t.ID
	customer := &model.Customer{Tenant: t.ID, Title: "Visitors"}
	if err := d.registry.SaveCustomer(ctx, customer); err != nil {
		return nil, fmt.Errorf("make the demonstration's customer: %w", err)
	}
	var logins []login
	for _, u := range []struct {
		role string
		user model.User
	}{
		{"tenant administrator", model.User{Email: demoAdmin, Authority: model.TenantAdmin, Customer: model.NoCustomer, FirstName: "Demo", LastName: "Administrator"}},
		{"customer user", model.User{Email: demoUser, Authority: model.CustomerUser, Customer: customer.ID, FirstName: "Demo", LastName: "Visitor"}},
	} {
		password, err := randomPassword(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make a password: %w", err)
		}
		u.user.Tenant, u.user.Enabled = t.ID, true
		if err := d.registry.SaveUser(ctx, &u.user); err != nil {
			return nil, fmt.Errorf("make user %s: %w", u.user.Email, err)
		}
		if err := d.auth.SetPassword(ctx, u.user.ID, password); err != nil {
			return nil, fmt.Errorf("set the password of %s: %w", u.user.Email, err)
		}
		logins = append(logins, login{u.role, u.user.Email, password})
	}
	return logins, nil
}

// findDemo returns the tenant an earlier start made, or nil.
func findDemo(ctx context.Context, r *registry.Registry) (*model.Tenant, error) {
	for page := 0; ; page++ {
		tenants, err := r.Tenants(ctx, model.TenantFilter{}, model.PageLink{Size: 100, Page: page})
		if err != nil {
			return nil, fmt.Errorf("list tenants: %w", err)
		}
		for _, t := range tenants.Data {
			if isDemo(&t) {
				return &t, nil
			}
		}
		if len(tenants.Data) == 0 {
			return nil, nil
		}
	}
}

func isDemo(t *model.Tenant) bool {
	var info struct{ Demo bool }
	return json.Unmarshal(t.Info, &info) == nil && info.Demo
}

// run loads the weather records once and then reports the machine until ctx ends.
func (d *demonstration) run(ctx context.Context, now clock) error {
	machine, err := d.device(ctx, demoMachine, "server", "The machine that runs Tidewire, once a second")
	if err != nil {
		return err
	}
	figures, err := demo.NewMachine(ctx, d.dataDir, os.Getpid())
	if err != nil {
		return fmt.Errorf("read the machine: %w", err)
	}
	loaded := make(chan error, 1)
	go func() { loaded <- d.loadWeather(ctx) }()
	figures.Run(ctx, now, func(ctx context.Context, set *model.WriteSet) error {
		return d.pipeline.Write(ctx, machine, set)
	}, d.log)
	if err := <-loaded; err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// loadWeather imports the files and makes the dashboard, unless an earlier start did: the
// dashboard is made last, so it is the sign that everything is there.
func (d *demonstration) loadWeather(ctx context.Context) error {
	boards, err := d.registry.Dashboards(ctx, d.tenant, model.DashboardFilter{}, model.PageLink{Size: 1})
	if err != nil {
		return fmt.Errorf("list dashboards: %w", err)
	}
	if boards.Total > 0 {
		return nil
	}
	for _, source := range demo.Sources {
		sink := &demoSink{demo: d, about: source.About, devices: map[string]*model.Entity{}}
		p, err := source.Import(ctx, sink)
		switch {
		case ctx.Err() != nil: // stopped: the next start goes on
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("load %s: %w", source.File, err)
		}
		d.log.Info("weather records", "file", source.File, "rows", p.Rows, "points", p.Points)
	}
	if err := d.makeDashboard(ctx); err != nil {
		return err
	}
	d.log.Info("the weather records are loaded")
	return nil
}

// A demoSink writes what an import reads to devices of the demonstration.
type demoSink struct {
	demo    *demonstration
	about   string
	devices map[string]*model.Entity
}

// Write implements importer.Sink.
func (s *demoSink) Write(ctx context.Context, device string, set *model.WriteSet) error {
	e, ok := s.devices[device]
	if !ok {
		var err error
		if e, err = s.demo.device(ctx, device, "weather station", s.about); err != nil {
			return err
		}
		s.devices[device] = e
	}
	return s.demo.pipeline.Save(ctx, e, set) // a record of the past is no sign of life
}

// device finds or makes a device and gives it to the visitors.
func (d *demonstration) device(ctx context.Context, name, profile, label string) (*model.Entity, error) {
	dev, err := d.registry.DeviceByName(ctx, d.tenant, name)
	if model.KindOf(err) == model.NotFound {
		dev = &model.Device{Tenant: d.tenant, Customer: model.NoCustomer, Name: name, Profile: profile, Label: label}
		if err = d.registry.CreateDevice(ctx, dev, ""); err == nil {
			err = d.assign(ctx, dev.ID)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("make device %q: %w", name, err)
	}
	e, ok := d.registry.Entity(d.tenant, dev.ID)
	if !ok {
		return nil, fmt.Errorf("device %q: %w", name, errors.New("it was deleted just now"))
	}
	return e, nil
}

func (d *demonstration) assign(ctx context.Context, device model.EntityID) error {
	customers, err := d.registry.Customers(ctx, d.tenant, model.CustomerFilter{}, model.PageLink{Size: 1})
	if err != nil || len(customers.Data) == 0 {
		return err // somebody removed the visitors: the device stays the tenant's own
	}
	_, err = d.registry.AssignDevice(ctx, d.tenant, device, customers.Data[0].ID)
	return err
}

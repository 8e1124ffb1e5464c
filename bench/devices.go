package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/registry"
	"github.com/tidewire/tidewire/tsdb"
)

// withFleet stops a server, makes n devices in its directory and starts it again with env:
// one commit for thousands, since how long devices take to make is not what is measured.
func (b *bench) withFleet(ctx context.Context, s *server, dir string, n int, env ...string) ([]device, *server, error) {
	tenant, err := s.tenant(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, s.kill())
	}
	if err := s.stop(); err != nil {
		return nil, nil, err
	}
	made, err := makeDevices(ctx, dir, tenant, n)
	if err != nil {
		return nil, nil, err
	}
	list := make([]device, n)
	for i, d := range made {
		list[i] = device{id: d.ID.String(), token: deviceToken(i)}
	}
	s, err = b.startServer(ctx, dir, s, env...)
	return list, s, err
}

func deviceToken(i int) string { return fmt.Sprintf("bench-token-%d", i) }

// tenant returns whose administrator is logged in.
func (s *server) tenant(ctx context.Context) (id model.TenantID, err error) {
	var user struct{ TenantID struct{ ID string } }
	if err := s.json(ctx, "GET", "/api/auth/user", nil, &user); err != nil {
		return id, err
	}
	parsed, err := model.ParseID(user.TenantID.ID)
	return model.TenantID(parsed), err
}

// makeDevices makes devices in a data directory that no server has open.
func makeDevices(ctx context.Context, dir string, tenant model.TenantID, n int) (all []*model.Device, err error) {
	keys, err := registry.OpenKeys(dir, nil)
	if err != nil {
		return nil, err
	}
	r, err := registry.Open(ctx, registry.Options{Dir: dir, Keys: keys})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for len(all) < n {
		var some []registry.NewDevice
		for i := len(all); i < min(n, len(all)+5000); i++ {
			some = append(some, registry.NewDevice{
				Device:      &model.Device{Tenant: tenant, Name: fmt.Sprintf("%s %06d", kinds[i%len(kinds)], i), Label: fmt.Sprintf("hall %d", i%40)},
				Credentials: &model.Credentials{Type: model.AccessToken, Key: deviceToken(i)},
			})
		}
		if err := r.CreateDevices(ctx, some); err != nil {
			return nil, err
		}
		for _, d := range some {
			all = append(all, d.Device)
		}
	}
	return all, nil
}

// kinds begin the names of devices; pages of one kind are found by text.
var kinds = []string{"Pump", "Valve", "Meter", "Boiler", "Fan"}

// writeLatest gives each device a few values, in the engine of a data directory that no server
// has open.
func writeLatest(ctx context.Context, dir string, devices []*model.Device) (err error) {
	db, err := tsdb.Open(filepath.Join(dir, "tsdb"), tsdb.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ts := time.Now().UnixMilli()
	jobs := make(chan int)
	errs := make(chan error, 16)
	for range cap(errs) { // a commit for many at once
		go func() {
			var first error
			for i := range jobs {
				_, err := db.Append(ctx, &model.WriteSet{
					Tenant: devices[i].Tenant, Entity: devices[i].ID, Scope: model.Timeseries, Received: ts,
					Keys: []string{"temperature", "battery", "active"}, Rows: []model.Row{{TS: ts, Cells: 3}},
					Cells: []model.Cell{
						{Key: 0, Value: model.Float(float64(i*7919%100_000) / 1000)},
						{Key: 1, Value: model.Int(int64(i * 31 % 101))},
						{Key: 2, Value: model.Bool(i%3 == 0)},
					},
				})
				first = errors.Join(first, err)
			}
			errs <- first
		}()
	}
	for i := range devices {
		jobs <- i
	}
	close(jobs)
	for range cap(errs) {
		err = errors.Join(err, <-errs)
	}
	return err
}

package registry

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
)

const formatDir = "testdata/format1"

var update = flag.Bool("update", false, "write "+formatDir+", which must not be there yet")

// A database and keys that a version handed out wrote are opened by every later one: its
// migrations run on them, and everything is still there, secrets readable.
// docs/format/README.md says how they are kept.
func TestDatabasesOfEveryVersionAreRead(t *testing.T) {
	if *update {
		writeFormat(t)
		check(t, os.WriteFile(filepath.Join(formatDir, "answers.txt"), []byte(readFormat(t, formatDir)), 0o644))
	}
	dirs, err := filepath.Glob("testdata/format*")
	check(t, err)
	if !slices.Contains(dirs, formatDir) {
		t.Fatalf("no %s", formatDir)
	}
	for _, dir := range dirs {
		want, err := os.ReadFile(filepath.Join(dir, "answers.txt"))
		check(t, err)
		if got := readFormat(t, dir); got != string(want) {
			t.Errorf("%s answers\n%s\nwant\n%s", dir, got, want)
		}
	}
}

// writeFormat fills a registry with something of every kind and keeps a backup of it.
func writeFormat(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(formatDir); err == nil {
		t.Fatalf("%s is there already: add another one, beside it", formatDir)
	}
	f, ctx := open(t), t.Context()
	customer := f.addCustomer(t, "Harbour")
	admin := f.addUser(t, "ada@example.org", model.NoCustomer)
	f.addUser(t, "user@example.org", customer)
	check(t, f.SetPassword(ctx, admin.ID, "a hash"))
	check(t, f.SaveUser(ctx, &model.User{Email: "root@example.org", Authority: model.SysAdmin, Customer: model.NoCustomer, Enabled: true}))
	gauge := f.addDevice(t, "Gauge ⚓")
	_, err := f.AssignDevice(ctx, f.tenant, gauge.ID, customer)
	check(t, err)
	gone := f.addDevice(t, "Gone")
	check(t, f.DeleteDevice(ctx, f.tenant, gone.ID)) // stands in the outbox
	profile := &model.DeviceProfile{Tenant: f.tenant, Name: "pump"}
	check(t, f.SaveDeviceProfile(ctx, profile))
	pier := &model.Asset{Tenant: f.tenant, Name: "Pier", Info: []byte(`{"length":12.50}`)}
	check(t, f.SaveAsset(ctx, pier))
	check(t, f.SaveRelation(ctx, f.tenant, &model.Relation{
		From: model.EntityRef{Type: model.EntityAsset, ID: pier.ID}, To: model.EntityRef{Type: model.EntityDevice, ID: gauge.ID}, Type: "Contains", Group: "COMMON",
	}))
	f.addView(t, "Guest view", gauge)
	days := 30
	check(t, f.SaveRetention(ctx, f.tenant, &model.RetentionPolicy{Timeseries: model.RetentionRule{Days: &days}}))
	f.addToken(t, "machine", "the secret of a machine")
	board := &model.DashboardRecord{Tenant: f.tenant, Title: "Tides", Configuration: []byte(`{"widgets":{}}`)}
	check(t, f.SaveDashboard(ctx, board))
	_, err = f.AssignDashboard(ctx, f.tenant, board.ID, customer, true)
	check(t, err)
	check(t, f.CreateSession(ctx, &model.Session{ID: f.newID(), User: admin.ID, Refresh: [32]byte{1}, Created: f.now(), Expires: 1 << 50}))
	check(t, os.MkdirAll(formatDir, 0o755))
	check(t, f.Backup(ctx, formatDir))
}

// readFormat opens a copy of a directory and writes down what is in it.
func readFormat(t *testing.T, from string) string {
	t.Helper()
	dir, ctx := t.TempDir(), t.Context()
	for _, name := range []string{DatabaseFile, KeysFile} {
		b, err := os.ReadFile(filepath.Join(from, name))
		check(t, err)
		check(t, os.WriteFile(filepath.Join(dir, name), b, 0o600)) // a checkout has modes of its own
	}
	keys, err := OpenKeys(dir, nil)
	check(t, err)
	c := &clock{ms: 1_700_000_100_000}
	r, err := Open(ctx, Options{Dir: dir, Keys: keys, Now: c.now, Random: rand.NewChaCha8([32]byte{8})})
	check(t, err)
	defer func() { check(t, r.Close()) }()
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	all := model.PageLink{Size: 100}

	tenants, err := r.Tenants(ctx, model.TenantFilter{}, all)
	check(t, err)
	for _, v := range tenants.Data {
		line("tenant %s %q made %d", v.ID, v.Title, v.Created)
		tenant := v.ID
		customers, err := r.Customers(ctx, tenant, model.CustomerFilter{}, all)
		check(t, err)
		for _, v := range customers.Data {
			line("customer %s %q", v.ID, v.Title)
		}
		assets, err := r.Assets(ctx, tenant, model.AssetFilter{}, all)
		check(t, err)
		for _, v := range assets.Data {
			line("asset %s %q of type %q, %s", v.ID, v.Name, v.Profile, v.Info)
			related, err := r.Relations(ctx, tenant, model.RelationQuery{From: model.EntityRef{Type: model.EntityAsset, ID: v.ID}})
			check(t, err)
			for _, v := range related {
				line("relation %s from %v to %v", v.Type, v.From, v.To)
			}
		}
		views, err := r.EntityViews(ctx, tenant, model.EntityViewFilter{}, all)
		check(t, err)
		for _, v := range views.Data {
			line("entity view %s %q of %v", v.ID, v.Name, v.Source)
		}
		profiles, err := r.DeviceProfiles(ctx, tenant, model.DeviceProfileFilter{}, all)
		check(t, err)
		for _, v := range profiles.Data {
			line("device profile %s %q default %t", v.ID, v.Name, v.Default)
		}
		boards, err := r.Dashboards(ctx, tenant, model.DashboardFilter{}, all)
		check(t, err)
		for _, v := range boards.Data {
			whole, err := r.Dashboard(ctx, tenant, v.ID)
			check(t, err)
			line("dashboard %s %q %s", v.ID, v.Title, whole.Configuration)
		}
		tokens, err := r.Tokens(ctx, tenant, all)
		check(t, err)
		for _, v := range tokens.Data {
			line("token %s %q", v.ID, v.Name)
		}
		policy, err := json.Marshal(r.Retention(tenant))
		check(t, err)
		line("retention %s", policy)
	}
	for e := range r.AllDevices() {
		d, err := r.Device(ctx, e.Tenant, e.ID)
		check(t, err)
		c, err := r.Credentials(ctx, e.Tenant, e.ID)
		check(t, err)
		found, ok := r.DeviceByToken(c.Key)
		line("device %s %q of type %q, customer %s, token %q finds it: %t", d.ID, d.Name, d.Profile, d.Customer, c.Key, ok && found.ID == d.ID)
	}
	for _, email := range []string{"ada@example.org", "user@example.org", "root@example.org"} {
		a, err := r.Account(ctx, email)
		check(t, err)
		sessions, err := r.Sessions(ctx, a.User.ID)
		check(t, err)
		line("user %s %s %v of tenant %s, customer %s, enabled %t, password %q, %d sessions", a.User.ID, a.User.Email, a.User.Authority, a.User.Tenant, a.User.Customer,
			a.User.Enabled, a.Password, len(sessions))
	}
	holder, ok := r.TokenHolder("the secret of a machine")
	line("the secret of a machine is known: %t, of tenant %s", ok, holder.Tenant)
	line("erasures due: %d", outboxRows(t, r))
	return out.String()
}

package api_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tidewire/tidewire/model"
)

// A caller is a column of the matrix. Who it is decides how it presents itself.
type caller struct {
	name  string
	email string // of a user
	token string // body of POST /api/tokens
	key   string // e-mail of the user whose API key it shows
}

var callers = []caller{
	{name: "nobody"},
	{name: "bad"},
	{name: "system", email: "root@example.org"},
	{name: "admin", email: "a@example.org"},
	{name: "user", email: "one@example.org"},
	{name: "tenantB", email: "b@example.org"},
	{name: "userTwo", email: "two@example.org"},
	{name: "read", token: `{"name":"read","scopes":["read:telemetry"]}`},
	{name: "write", token: `{"name":"write","scopes":["write:telemetry"]}`},
	{name: "rpc", token: `{"name":"rpc","scopes":["rpc"]}`},
	{name: "manage", token: `{"name":"manage","scopes":["admin"]}`},
	{name: "key", key: "a@example.org"},
	{name: "narrow", token: `{"name":"narrow","scopes":["read:telemetry","write:telemetry","rpc","admin"],"entities":["{free}"]}`},
	{name: "public"},
}

// present returns tokens that a caller shows: one, several that must all be treated alike, or
// the empty one.
func (w *world) present(c caller) []string {
	w.t.Helper()
	switch {
	case c.email != "":
		return []string{w.login(c.email).Token}
	case c.token != "":
		w.adminA = w.login("a@example.org").Token
		return []string{w.token(strings.ReplaceAll(c.token, "{free}", w.free.String())).Token}
	case c.key != "":
		if w.keyOf[c.key] == "" { // a user may have a hundred
			w.keyOf[c.key] = w.apiKey(c.key)
		}
		return []string{w.keyOf[c.key]}
	case c.name == "bad":
		return w.badTokens()
	case c.name == "public":
		return []string{w.public()}
	}
	return []string{""}
}

// badTokens returns forgeries of a good token of A's administrator: everything is as in that
// but what makes it bad.
func (w *world) badTokens() []string {
	t := w.t
	t.Helper()
	var good jwt.MapClaims
	parsed, _, err := jwt.NewParser().ParseUnverified(w.login("a@example.org").Token, &good)
	check(t, err)
	forge := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		claims := jwt.MapClaims{}
		for name, v := range good {
			claims[name] = v
		}
		if change != nil {
			change(claims)
		}
		forged := jwt.NewWithClaims(method, claims)
		forged.Header["kid"] = parsed.Header["kid"]
		text, err := forged.SignedString(key)
		check(t, err)
		return text
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	real, other := w.keys.Tokens[:], make([]byte, len(w.keys.Tokens))
	past := w.clock.now().Add(-time.Minute).Unix()
	if _, err := w.auth.Verify(forge(jwt.SigningMethodHS512, real, nil)); err != nil {
		t.Fatalf("a token forged without a fault is refused, so the faults prove nothing: %v", err)
	}
	return []string{
		forge(jwt.SigningMethodHS512, real, func(c jwt.MapClaims) { c["iat"], c["exp"] = past-9000, past }),
		forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		forge(jwt.SigningMethodHS384, real, nil),
		forge(jwt.SigningMethodRS256, private, nil),
		forge(jwt.SigningMethodHS512, other, nil),
	}
}

// relate saves the relation that rows are about.
func (w *world) relate(asset, device model.EntityID) {
	w.t.Helper()
	check(w.t, w.registry.SaveRelation(w.t.Context(), w.a, &model.Relation{
		From: model.EntityRef{Type: model.EntityAsset, ID: asset}, To: model.EntityRef{Type: model.EntityDevice, ID: device}, Type: "x",
	}))
}

func (w *world) publicCustomer() model.CustomerID {
	w.t.Helper()
	c, err := w.registry.PublicCustomer(w.t.Context(), w.a)
	check(w.t, err)
	return c.ID
}

// publicNames makes things that public links show, and returns what stands for {names} of customer
// one's in rows.
func (w *world) publicNames(names *strings.Replacer) *strings.Replacer {
	t, ctx, customer := w.t, w.t.Context(), w.publicCustomer()
	t.Helper()
	d := &model.Device{Tenant: w.a, Customer: customer, Name: "shown"}
	check(t, w.registry.CreateDevice(ctx, d, "shown"))
	credentials, err := w.registry.Credentials(ctx, w.a, d.ID)
	check(t, err)
	a := &model.Asset{Tenant: w.a, Customer: customer, Name: "shown"}
	check(t, w.registry.SaveAsset(ctx, a))
	w.relate(a.ID, d.ID)
	v := &model.EntityView{Tenant: w.a, Customer: customer, Name: "shown", Source: model.EntityRef{Type: model.EntityAsset, ID: a.ID}}
	check(t, w.registry.SaveEntityView(ctx, v))
	b := &model.DashboardRecord{Tenant: w.a, Title: "shown", Configuration: []byte(`{}`)}
	check(t, w.registry.SaveDashboard(ctx, b))
	_, err = w.registry.AssignDashboard(ctx, w.a, b.ID, customer, true)
	check(t, err)
	return strings.NewReplacer(append([]string{
		"{one}", customer.String(), "{owned}", d.ID.String(), "{credentials}", credentials.ID.String(), "{asset}", a.ID.String(),
		"{view}", v.ID.String(), "{dashboard}", b.ID.String(), `"defaultValue":"owned"`, `"defaultValue":"shown"`,
	}, pairs(names, "a", "user", "free", "profile", "tenantProfile", "assetProfile", "session", "token", "key")...)...)
}

// anew makes things of the same kind and owners as those that a row names, so that a call may
// change or delete them, and returns what stands for {names} in it.
func (w *world) anew(n int, route string, r row, names *strings.Replacer, c caller) *strings.Replacer {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	text := r.target + r.body
	name := fmt.Sprintf("fresh %d", n)
	named := func(what string) bool { return strings.Contains(text, "{"+what+"}") }
	// What is fresh is replaced before what is there.
	first := []string{`"mine`, fmt.Sprintf(`"mine%d`, n), `"Mine`, fmt.Sprintf(`"Mine%d`, n)}
	replace := func(what string, id model.ID) { first = append(first, "{"+what+"}", id.String()) }
	customer := w.one
	if c.name == "public" {
		customer = w.publicCustomer()
	}
	var owned model.EntityID
	if named("owned") {
		d := &model.Device{Tenant: w.a, Customer: customer, Name: name}
		check(t, w.registry.CreateDevice(ctx, d, name))
		replace("owned", model.ID(d.ID))
		credentials, err := w.registry.Credentials(ctx, w.a, d.ID)
		check(t, err)
		replace("credentials", credentials.ID)
		owned = d.ID
	}
	if named("asset") {
		v := &model.Asset{Tenant: w.a, Customer: customer, Name: name}
		check(t, w.registry.SaveAsset(ctx, v))
		replace("asset", model.ID(v.ID))
		if route == "DELETE /api/relation" {
			w.relate(v.ID, owned)
		}
	}
	if named("view") {
		v := &model.EntityView{Tenant: w.a, Customer: customer, Name: name, Source: model.EntityRef{Type: model.EntityAsset, ID: w.asset}}
		check(t, w.registry.SaveEntityView(ctx, v))
		replace("view", model.ID(v.ID))
	}
	if named("dashboard") {
		v := &model.DashboardRecord{Tenant: w.a, Title: name, Configuration: []byte(`{}`)}
		check(t, w.registry.SaveDashboard(ctx, v))
		_, err := w.registry.AssignDashboard(ctx, w.a, v.ID, customer, true)
		check(t, err)
		replace("dashboard", model.ID(v.ID))
	}
	if named("user") {
		v := &model.User{Tenant: w.a, Customer: w.one, Authority: model.CustomerUser, Email: fmt.Sprintf("fresh%d@example.org", n), Enabled: true}
		check(t, w.registry.SaveUser(ctx, v))
		replace("user", model.ID(v.ID))
	}
	if named("key") {
		v := &model.APIKey{Tenant: w.a, User: w.userOne, Description: name, Enabled: true}
		check(t, w.registry.CreateKey(ctx, v, name))
		replace("key", v.ID)
	}
	if named("profile") {
		v := &model.DeviceProfile{Tenant: w.a, Name: name}
		check(t, w.registry.SaveDeviceProfile(ctx, v))
		replace("profile", v.ID)
	}
	if named("assetProfile") {
		v := &model.AssetProfile{Tenant: w.a, Name: name}
		check(t, w.registry.SaveAssetProfile(ctx, v))
		replace("assetProfile", v.ID)
	}
	if named("tenantProfile") {
		v := &model.TenantProfile{Name: name}
		check(t, w.registry.SaveTenantProfile(ctx, v))
		replace("tenantProfile", v.ID)
	}
	switch { // of tenants and customers, callers mean their own
	case route == "DELETE /api/tenant/:tenantId" && c.name == "system":
		v := &model.Tenant{Title: name}
		check(t, w.registry.SaveTenant(ctx, v))
		replace("a", model.ID(v.ID))
	case route == "DELETE /api/customer/:customerId":
		v := &model.Customer{Tenant: w.a, Title: name}
		check(t, w.registry.SaveCustomer(ctx, v))
		replace("one", model.ID(v.ID))
	}
	if named("token") {
		w.adminA = w.login("a@example.org").Token
		replace("token", w.token(`{"name":"of A","scopes":["read:telemetry"]}`).Info.ID)
	}
	if named("session") {
		w.login("one@example.org")
		sessions, err := w.registry.Sessions(ctx, w.userOne)
		check(t, err)
		replace("session", sessions[0].ID)
	}
	return strings.NewReplacer(append(first, pairs(names, "a", "one", "user", "owned", "free", "profile", "dashboard", "tenantProfile", "asset",
		"view", "assetProfile", "session", "token", "key", "credentials")...)...)
}

// pairs returns what a replacer of {names} does, for another one.
func pairs(r *strings.Replacer, names ...string) (list []string) {
	for _, name := range names {
		list = append(list, "{"+name+"}", r.Replace("{"+name+"}"))
	}
	return list
}

package auth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tidewire/tidewire/model"
)

// forge signs altered claims of a genuine token.
func forge(t testing.TB, f *fixture, token string, method jwt.SigningMethod, key any, edit func(header map[string]any, c jwt.MapClaims)) string {
	t.Helper()
	c := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, c); err != nil {
		t.Fatal(err)
	}
	forged := jwt.NewWithClaims(method, c)
	forged.Header["kid"] = f.signer.id
	edit(forged.Header, c)
	text, err := forged.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestForgedTokensAreRefused(t *testing.T) {
	f := setup(t)
	pair := f.login(t)
	genuine := strings.Split(pair.Token, ".")
	same := func(map[string]any, jwt.MapClaims) {}
	claim := func(name string, v any) func(map[string]any, jwt.MapClaims) {
		return func(_ map[string]any, c jwt.MapClaims) { c[name] = v }
	}
	without := func(name string) func(map[string]any, jwt.MapClaims) {
		return func(_ map[string]any, c jwt.MapClaims) { delete(c, name) }
	}
	signed := func(edit func(map[string]any, jwt.MapClaims)) string {
		return forge(t, f, pair.Token, jwt.SigningMethodHS512, testKey[:], edit)
	}
	otherKey := [64]byte{9}
	const notToken, wrong, expired = "Invalid username or password", "Authentication failed", "Token has expired"
	for _, c := range []struct {
		name, token string
		kind        model.Kind
		text        string
	}{
		{"no token", "", model.Unauthenticated, wrong},
		{"not a token", "hello", model.Unauthenticated, notToken},
		{"two parts", genuine[0] + "." + genuine[1], model.Unauthenticated, notToken},
		{"huge", strings.Repeat("a", maxToken+1), model.Unauthenticated, notToken},
		{"no signature", genuine[0] + "." + genuine[1] + ".", model.Expired, expired},
		{"alg none", forge(t, f, pair.Token, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same), model.Expired, expired},
		{"HS256 with the same key", forge(t, f, pair.Token, jwt.SigningMethodHS256, testKey[:], same), model.Expired, expired},
		{"HS384 with the same key", forge(t, f, pair.Token, jwt.SigningMethodHS384, testKey[:], same), model.Expired, expired},
		{"another key", forge(t, f, pair.Token, jwt.SigningMethodHS512, otherKey[:], same), model.Expired, expired},
		{"another kid", signed(func(h map[string]any, _ jwt.MapClaims) { h["kid"] = "0" }), model.Expired, expired},
		{"no kid", signed(func(h map[string]any, _ jwt.MapClaims) { delete(h, "kid") }), model.Expired, expired},
		{"wrong issuer", signed(claim("iss", "someone")), model.Expired, expired},
		{"no issuer", signed(without("iss")), model.Expired, expired},
		{"wrong audience", signed(claim("aud", "another")), model.Expired, expired},
		{"no audience", signed(without("aud")), model.Expired, expired},
		{"issued in the future", signed(claim("iat", f.clock.now().Unix()+60)), model.Expired, expired},
		{"not good yet", signed(claim("nbf", f.clock.now().Unix()+60)), model.Expired, expired},
		{"scopes of a wrong type", signed(claim("scopes", "TENANT_ADMIN")), model.Unauthenticated, notToken},
		{"no exp", signed(without("exp")), model.Expired, expired},
		{"exp in the past", signed(claim("exp", f.clock.now().Unix()-1)), model.Expired, expired},
		{"exp of a wrong type", signed(claim("exp", "tomorrow")), model.Unauthenticated, notToken},
		{"payload of another login", genuine[0] + "." + strings.Split(f.login(t).Token, ".")[1] + "." + genuine[2], model.Expired, expired},
		{"refresh as access", pair.RefreshToken, model.Unauthenticated, wrong},
		{"unknown authority", signed(claim("scopes", []string{"ROOT"})), model.Unauthenticated, wrong},
		{"two authorities", signed(claim("scopes", []string{"TENANT_ADMIN", "SYS_ADMIN"})), model.Unauthenticated, wrong},
		{"no tenant", signed(without("tenantId")), model.Unauthenticated, wrong},
		{"malformed user", signed(claim("userId", "x")), model.Unauthenticated, wrong},
		{"refresh id on an access token", signed(claim("jti", "x")), model.Unauthenticated, wrong},
		{"session nobody opened", signed(claim("sessionId", model.ID{1}.String())), model.Expired, expired},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.Verify(c.token)
			wantError(t, err, c.kind, c.text)
		})
	}
	if _, err := f.Verify(pair.Token); err != nil {
		t.Errorf("the genuine token is refused: %v", err)
	}
	if _, err := f.Verify(signed(same)); err != nil {
		t.Errorf("forge does not make what Verify accepts, so it proves nothing: %v", err)
	}
	_, err := f.Refresh(t.Context(), pair.Token)
	wantError(t, err, model.Unauthenticated, wrong)
}

func TestClaimsAreThoseOfTheContract(t *testing.T) {
	f := setup(t)
	pair := f.login(t)
	f.addUser(t, "root@example.org", model.SysAdmin, password)
	rootPair, err := f.Login(t.Context(), "root@example.org", password, Client{})
	if err != nil {
		t.Fatal(err)
	}
	claimsOf := func(token string) map[string]any {
		t.Helper()
		text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		var c map[string]any
		if err != nil || json.Unmarshal(text, &c) != nil {
			t.Fatalf("token %s: %v", token, err)
		}
		return c
	}
	want := func(c map[string]any, pairs ...any) {
		t.Helper()
		if len(c) != len(pairs)/2 {
			t.Errorf("%d claims, want %d: %v", len(c), len(pairs)/2, c)
		}
		for i := 0; i < len(pairs); i += 2 {
			if got := fmt.Sprint(c[pairs[i].(string)]); pairs[i+1] != nil && got != fmt.Sprint(pairs[i+1]) {
				t.Errorf("claim %v is %v, want %v", pairs[i], got, pairs[i+1])
			}
		}
	}
	iat := float64(f.clock.now().Unix())
	want(claimsOf(pair.Token), "sub", "Ann@example.org", "userId", f.user.ID, "scopes", "[TENANT_ADMIN]", "sessionId", nil,
		"exp", iat+9000, "iss", "thingsboard.io", "aud", "[tidewire]", "iat", iat, "firstName", "Ann", "lastName", "Lee", "enabled", true,
		"isPublic", false, "tenantId", f.user.Tenant, "customerId", "13814000-1dd2-11b2-8080-808080808080")
	want(claimsOf(pair.RefreshToken), "sub", "Ann@example.org", "userId", f.user.ID, "scopes", "[REFRESH_TOKEN]",
		"sessionId", nil, "exp", iat+604800, "iss", "thingsboard.io", "aud", "[tidewire]", "iat", iat, "isPublic", false, "jti", nil)
	if got := claimsOf(rootPair.Token)["tenantId"]; got != "13814000-1dd2-11b2-8080-808080808080" {
		t.Errorf("tenant of a system administrator: %v", got)
	}
}

// A replaced key signs nothing more, and what it signed stays good until it expires or the key
// is forgotten.
func TestKeysRotate(t *testing.T) {
	f := setup(t)
	pair := f.login(t)
	next := [64]byte{9}
	with := func(old ...[64]byte) *Service {
		t.Helper()
		s, err := New(f.store, next, Options{Now: f.clock.now, Random: newSource(), Argon2: f.opts.Argon2, OldKeys: old})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	rotated := with([64]byte{8}, testKey)
	if _, err := rotated.Verify(pair.Token); err != nil {
		t.Errorf("a token of the old key: %v", err)
	}
	fresh, err := rotated.Refresh(t.Context(), pair.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	alone := with()
	if _, err := alone.Verify(fresh.Token); err != nil {
		t.Errorf("a new token needs the old key: %v", err)
	}
	_, err = alone.Verify(pair.Token)
	wantError(t, err, model.Expired, "Token has expired")
	_, err = f.Verify(fresh.Token)
	wantError(t, err, model.Expired, "Token has expired")
}

// Any number of tokens may pass through; the memory of them stays bounded.
func TestCacheIsBounded(t *testing.T) {
	c := newTokenCache()
	now := time.Now().UnixMilli()
	for i := range 10 * cacheShards * cacheShard {
		h := hashToken(fmt.Sprint(i))
		c.put(h, model.Principal{Expires: now + int64(i%2)}, now)
		if _, ok := c.get(h); !ok {
			t.Fatal("the newest token is not remembered")
		}
	}
	for i := range c.shards {
		if n := len(c.shards[i].m); n > cacheShard {
			t.Errorf("shard %d remembers %d tokens", i, n)
		}
	}
}

func TestRememberedTokenCostsNoAllocation(t *testing.T) {
	f := setup(t)
	token := f.login(t).Token
	if n := testing.AllocsPerRun(100, func() { _, _ = f.Verify(token) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	f := setup(b)
	token := f.login(b).Token
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f.Verify(token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		h := hashToken(token)
		for b.Loop() {
			f.cache.drop(h)
			if _, err := f.Verify(token); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Whatever is presented: no panic, and only what we signed gets in.
func FuzzVerify(f *testing.F) {
	fx := setup(f)
	pair := fx.login(f)
	for _, s := range []string{"", ".", "..", "a.b.c", pair.Token, pair.RefreshToken, pair.Token + "=", "eyJhbGciOiJub25lIn0.e30."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, err := fx.Verify(token)
		if (err == nil) != (token == pair.Token) {
			t.Errorf("%q: %v", token, err)
		}
		if kind := model.KindOf(err); err != nil && kind != model.Unauthenticated && kind != model.Expired {
			t.Errorf("%q: kind %v", token, kind)
		}
	})
}

package api_test

import (
	"fmt"
	"io"
	"mime/quotedprintable"
	"regexp"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// mailed returns the receiver of the next mail and the token of the link in it; "" where it
// has none.
func (w *world) mailed() (to, link, token string) {
	w.t.Helper()
	m := <-w.mails.Messages
	_, body, _ := strings.Cut(m.Data, "\r\n\r\n")
	text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
	check(w.t, err)
	link = regexp.MustCompile(`https?://\S+`).FindString(string(text))
	_, token, _ = strings.Cut(link, "Token=")
	return m.To, link, token
}

// Contract 2.1, 3.5: a new user begins with a link that came by mail.
func TestANewUserIsMailedALink(t *testing.T) {
	w := newWorld(t, func(d *api.Deps) { d.PublicURL = "https://tide.example" })
	u := post[api.User](w, "/api/user", w.adminA, `{"email":"n@example.org","authority":"TENANT_ADMIN"}`)
	to, link, token := w.mailed()
	if to != "n@example.org" || !strings.HasPrefix(link, "https://tide.example/login/createPassword?activateToken=") {
		t.Fatalf("%s %s", to, link)
	}
	w.call("POST", "/api/noauth/activate", "", fmt.Sprintf(`{"activateToken":%q,"password":"short"}`, token)).is(400)
	w.call("POST", "/api/noauth/activate?sendActivationMail=true", "", fmt.Sprintf(`{"activateToken":%q,"password":"long enough"}`, token)).is(200)
	if to, link, _ := w.mailed(); to != "n@example.org" || link != "https://tide.example" {
		t.Errorf("%s %s", to, link)
	}
	// Without the mail, and for a change of what there is, nothing is sent.
	post[api.User](w, "/api/user?sendActivationMail=false", w.adminA, `{"email":"m@example.org","authority":"TENANT_ADMIN"}`)
	post[api.User](w, "/api/user", w.adminA, fmt.Sprintf(`{"id":{"entityType":"USER","id":%q},"email":"n@example.org","authority":"TENANT_ADMIN","firstName":"N"}`, u.ID.ID))
	post[api.User](w, "/api/user", w.adminA, `{"email":"last@example.org","authority":"TENANT_ADMIN"}`)
	if to, _, _ := w.mailed(); to != "last@example.org" {
		t.Errorf("a mail for %s", to)
	}
}

// Contract 2.1: a forgotten password is replaced by a link that came by mail.
func TestAForgottenPasswordIsReplaced(t *testing.T) {
	w := newWorld(t)
	ask := func(email string) {
		w.call("POST", "/api/noauth/resetPasswordByEmail", "", fmt.Sprintf(`{"email":%q}`, email), "Host", "evil.example").is(200, "")
	}
	ask("nobody@example.org") // the same answer, and no mail
	ask("ONE@example.org")
	to, link, token := w.mailed()
	if to != "one@example.org" || !strings.HasPrefix(link, "http://127.0.0.1:8080/login/resetPassword?resetToken=") {
		t.Fatalf("%s %s: it must not lead where the request said it came to", to, link)
	}
	reset := func(token, password string) *answer {
		return w.call("POST", "/api/noauth/resetPassword", "", fmt.Sprintf(`{"resetToken":%q,"password":%q}`, token, password))
	}
	reset("guess", "another one").fails(400, 31, "Invalid reset token!")
	reset(token, password).fails(400, 31, "New password should be different from existing!") // and the link stays good
	reset(token, "short").fails(400, 31, "Password must be at least 8 characters long!")
	var pair api.TokenPair
	reset(token, "another one").is(200).json(&pair)
	w.call("GET", "/api/auth/user", pair.Token, "").is(200)
	w.call("GET", "/api/auth/user", w.oneUser, "").fails(401, 11, "Token has expired") // whoever was in is out
	w.call("POST", "/api/auth/login", "", `{"username":"one@example.org","password":"`+password+`"}`).is(401)
	w.call("POST", "/api/auth/login", "", `{"username":"one@example.org","password":"another one"}`).is(200)
	reset(token, "a third one").fails(400, 31, "Invalid reset token!")
	if to, _, _ := w.mailed(); to != "one@example.org" {
		t.Errorf("told %s", to)
	}
	w.call("POST", "/api/noauth/resetPasswordByEmail", "", `{}`).fails(400, 31, "Parameter 'email' can't be empty!")
	w.call("GET", "/api/noauth/userPasswordPolicy", "", "").is(200)
}

// Contract 2.1: everybody sees what is public, and changes nothing.
func TestEverybodySeesWhatIsPublic(t *testing.T) {
	w := newWorld(t)
	w.call("POST", "/api/customer/public/device/"+w.free.String(), w.adminA, "").is(200)
	w.call("POST", "/api/customer/public/dashboard/"+w.dashboard.String(), w.adminA, "").is(200)
	c, err := w.registry.PublicCustomer(t.Context(), w.a)
	check(t, err)
	var public api.Customer
	w.call("GET", "/api/customer/"+c.ID.String(), w.adminA, "").is(200).json(&public)
	if string(public.AdditionalInfo) != `{"isPublic":true}` {
		t.Errorf("the public customer has %s", public.AdditionalInfo)
	}
	login := func(id string) *answer {
		return w.call("POST", "/api/auth/login/public", "", fmt.Sprintf(`{"publicId":%q}`, id))
	}
	login(w.one.String()).fails(401, 10, "Invalid username or password")
	login("x").fails(401, 10, "Invalid username or password")
	w.call("POST", "/api/auth/login/public", "", "no json").fails(401, 10, "Authentication failed")
	var pair api.TokenPair
	login(c.ID.String()).is(200).json(&pair)
	get := func(path string) *answer { return w.call("GET", path, pair.Token, "") }
	get("/api/device/" + w.free.String()).is(200)
	get("/api/dashboard/" + w.dashboard.String()).is(200)
	get("/api/plugins/telemetry/DEVICE/" + w.free.String() + "/values/timeseries").is(200)
	get("/api/device/" + w.owned.String()).is(403)
	get("/api/device/" + w.free.String() + "/credentials").is(403)
	get("/api/users?pageSize=9&page=0").is(403)
	get("/api/customer/" + c.ID.String() + "/users?pageSize=9&page=0").is(403)
	w.call("POST", "/api/plugins/telemetry/DEVICE/"+w.free.String()+"/SERVER_SCOPE", pair.Token, `{"k":1}`).text(403, "You don't have permission to perform this operation!")
	w.call("POST", "/api/auth/changePassword", pair.Token, `{"currentPassword":"x","newPassword":"long enough"}`).is(403)
	var u api.User
	get("/api/auth/user").is(200).json(&u)
	if u.Email != c.ID.String() || model.CustomerID(u.CustomerID.ID) != c.ID {
		t.Errorf("%+v", u)
	}
	var next api.TokenPair
	w.call("POST", "/api/auth/token", "", fmt.Sprintf(`{"refreshToken":%q}`, pair.RefreshToken)).is(200).json(&next)
	w.call("POST", "/api/auth/logout", next.Token, "").is(200)
	get("/api/device/"+w.free.String()).fails(401, 11, "Token has expired")
}

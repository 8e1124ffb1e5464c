package registry

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
)

const certificate = "-----BEGIN CERTIFICATE-----\nMIIBAgMEBQ==\n-----END CERTIFICATE-----\n"

func TestDeviceIsFoundByItsToken(t *testing.T) {
	f := open(t)
	d := f.addDevice(t, "a")
	for range 2 { // and after a restart
		e, ok := f.DeviceByToken("token of a")
		if !ok || e.ID != d.ID || e.Name != "a" {
			t.Errorf("found %+v, %v", e, ok)
		}
		for _, wrong := range []string{"", "token of A", "token of a ", "token of b", strings.Repeat("x", 1<<20)} {
			if e, ok := f.DeviceByToken(wrong); ok {
				t.Errorf("%q lets %v in", wrong, e)
			}
		}
		f.reopen(t)
	}
	c, err := f.Credentials(t.Context(), f.tenant, d.ID)
	if err != nil || c.Key != "token of a" || c.Value != "" || c.Type != model.AccessToken || c.Version != 1 || c.Tenant != f.tenant {
		t.Errorf("credentials %+v, %v", c, err)
	}
}

func TestRandomTokenHasTwentyLettersAndDigits(t *testing.T) {
	f := open(t)
	seen := map[string]bool{}
	for _, name := range []string{"a", "b", "c"} {
		d := &model.Device{Tenant: f.tenant, Name: name}
		check(t, f.CreateDevice(t.Context(), d, ""))
		c, err := f.Credentials(t.Context(), f.tenant, d.ID)
		check(t, err)
		if len(c.Key) != 20 || strings.Trim(c.Key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" || seen[c.Key] {
			t.Errorf("token %q", c.Key)
		}
		seen[c.Key] = true
		if e, ok := f.DeviceByToken(c.Key); !ok || e.ID != d.ID {
			t.Errorf("%q finds %v, %v", c.Key, e, ok)
		}
	}
}

// Of two servers over one database that give one token away at once, the second is refused by the
// index: when it looked, nobody had it.
func TestCredentialsThatAnotherServerWasFasterToSaveAreRefused(t *testing.T) {
	f := open(t)
	a, b := f.addDevice(t, "a"), f.addDevice(t, "b")
	const text = "Specified credentials are already registered!"
	faster := func(event, device string) { // the other server's write comes between look-up and write
		_, err := f.writer.ExecContext(t.Context(), `CREATE TRIGGER faster BEFORE `+event+` ON credentials WHEN NEW.device_id <> '`+device+`' BEGIN
			UPDATE credentials SET lookup = NEW.lookup WHERE device_id = '`+device+`'; END`)
		check(t, err)
	}
	faster("INSERT", a.ID.String())
	wantError(t, f.CreateDevice(t.Context(), &model.Device{Tenant: f.tenant, Name: "c"}, "wanted by both"), model.Invalid, text)
	if _, err := f.DeviceByName(t.Context(), f.tenant, "c"); model.KindOf(err) != model.NotFound {
		t.Error("the device was made although its token was refused")
	}
	_, err := f.writer.ExecContext(t.Context(), "DROP TRIGGER faster")
	check(t, err)
	faster("UPDATE OF sealed_key", a.ID.String())
	c, err := f.Credentials(t.Context(), f.tenant, b.ID)
	check(t, err)
	c.Key = "wanted by both"
	wantError(t, f.SaveCredentials(t.Context(), c), model.Invalid, text)
	if e, ok := f.DeviceByToken("token of b"); !ok || e.ID != b.ID {
		t.Errorf("the token before finds %v, %v", e, ok)
	}
	if e, ok := f.DeviceByToken("wanted by both"); ok {
		t.Errorf("what was refused finds %v", e)
	}
}

func TestCredentialsBelongToOneDevice(t *testing.T) {
	f := open(t)
	f.addDevice(t, "a")
	b := f.addDevice(t, "b")
	const text = "Device credentials are already assigned to another device!"
	wantError(t, f.CreateDevice(t.Context(), &model.Device{Tenant: f.tenant, Name: "c"}, "token of a"), model.Invalid, text)
	if _, err := f.DeviceByName(t.Context(), f.tenant, "c"); model.KindOf(err) != model.NotFound {
		t.Error("the device was made although its token was refused")
	}
	c, err := f.Credentials(t.Context(), f.tenant, b.ID)
	check(t, err)
	c.Key = "token of a"
	wantError(t, f.SaveCredentials(t.Context(), c), model.Invalid, text)
	other := f.addTenant(t, "Other")
	wantError(t, f.CreateDevice(t.Context(), &model.Device{Tenant: other, Name: "a"}, "token of a"), model.Invalid, text)
}

func TestNewCredentialsReplaceTheOld(t *testing.T) {
	f := open(t)
	d := f.addDevice(t, "a")
	c, err := f.Credentials(t.Context(), f.tenant, d.ID)
	check(t, err)
	old := *c
	c.Key = "fresh"
	check(t, f.SaveCredentials(t.Context(), c))
	for range 2 {
		if _, ok := f.DeviceByToken("token of a"); ok {
			t.Error("the old token still works")
		}
		if e, ok := f.DeviceByToken("fresh"); !ok || e.ID != d.ID {
			t.Error("the new token does not work")
		}
		f.reopen(t)
	}
	wantError(t, f.SaveCredentials(t.Context(), &old), model.Conflict, "Device credentials was already changed by someone else")
	for _, edit := range []func(*model.Credentials){
		func(c *model.Credentials) { c.ID = model.ID{1} },
		func(c *model.Credentials) { c.Device = model.EntityID{1} },
		func(c *model.Credentials) { c.Tenant = model.TenantID{1} },
	} {
		wrong := *c
		edit(&wrong)
		wantError(t, f.SaveCredentials(t.Context(), &wrong), model.Invalid, "Unable to update non-existent device credentials!")
	}
}

func TestDerivedCredentialIDs(t *testing.T) {
	sha := func(s string) string {
		sum := sha3.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	f := open(t)
	d := f.addDevice(t, "a")
	try := func(typ model.CredentialsType, key, value, want, text string) {
		t.Helper()
		c, err := f.Credentials(t.Context(), f.tenant, d.ID)
		check(t, err)
		c.Type, c.Key, c.Value = typ, key, value
		err = f.SaveCredentials(t.Context(), c)
		if text != "" {
			wantError(t, err, model.Invalid, text)
			return
		}
		check(t, err)
		got, err := f.Credentials(t.Context(), f.tenant, d.ID)
		if err != nil || got.Key != want || got.Type != typ || typ != model.AccessToken && got.Value != value {
			t.Errorf("stored %+v, %v; want key %s", got, err, want)
		}
		if _, ok := f.DeviceByToken(want); ok != (typ == model.AccessToken) {
			t.Errorf("%s as an access token: %v", typ, ok)
		}
	}
	const basic, x509, token = model.MQTTBasic, model.X509Certificate, model.AccessToken
	try(basic, "", `{"clientId":"","userName":"u","password":"p"}`, "u", "")
	try(basic, "ignored", `{"clientId":"c","userName":null,"password":null}`, sha("c"), "")
	try(basic, "", `{"clientId":"c","userName":"u","password":"p"}`, sha("c|u"), "")
	try(x509, "", certificate, sha("MIIBAgMEBQ=="), "")
	try(x509, "", strings.ReplaceAll(certificate, "\n", "\r\n"), sha("MIIBAgMEBQ=="), "")
	try(token, "t", "ignored", "t", "")
	try(basic, "", `{"clientId":"","userName":""}`, "", "Both mqtt client id and user name are empty!")
	try(basic, "", `{"clientId":"c","password":"p"}`, "", "Password cannot be specified along with client id")
	try(basic, "", `nonsense`, "", "Invalid credentials body for simple mqtt credentials!")
	try(basic, "", `{"userName":"u"} x`, "", "Invalid credentials body for simple mqtt credentials!")
	try(basic, "", `{"userName":"u\u0000"}`, "", "Device credentials should not contain control characters!")
	try(x509, "", "nonsense", "", "Certificate is not in PEM format!")
	try(token, "a\tb", "", "", "Device credentials should not contain control characters!")
	try(token, "", "", "", "Device credentials id should be specified!")
	try(token, strings.Repeat("x", 256), "", "", "Validation error: credentialsId length must be equal or less than 255")
	try(x509, "", strings.Repeat("x", 1<<17), "", "Validation error: credentialsValue length must be equal or less than 65536")
	try("CARRIER_PIGEON", "x", "{}", "", "Unsupported credentials type 'CARRIER_PIGEON'!")
}

func TestDeviceWithCredentials(t *testing.T) {
	f := open(t)
	d := &model.Device{Tenant: f.tenant, Name: "a"}
	c := &model.Credentials{Type: model.MQTTBasic, Value: `{"userName":"u","password":"p"}`}
	check(t, f.CreateDeviceWithCredentials(t.Context(), d, c))
	if c.Key != "u" || c.Device != d.ID || c.Version != 1 {
		t.Errorf("not filled: %+v", c)
	}
	if _, ok := f.DeviceByToken("u"); ok {
		t.Error("an MQTT user name works as an access token")
	}
}

// Who steals the database has neither tokens nor passwords.
func TestSecretsAreNotInTheDatabase(t *testing.T) {
	f := open(t)
	d := f.addDevice(t, "a")
	c, err := f.Credentials(t.Context(), f.tenant, d.ID)
	check(t, err)
	c.Type, c.Value = model.MQTTBasic, `{"userName":"secret-user","password":"secret-word"}`
	check(t, f.SaveCredentials(t.Context(), c))
	check(t, f.Close())
	check(t, filepath.WalkDir(f.opts.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == keysFile {
			return err
		}
		b, err := os.ReadFile(path)
		for _, secret := range []string{"token of a", "secret-user", "secret-word"} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds %q", e.Name(), secret)
			}
		}
		return err
	}))
}

func TestCiphertextIsBoundToItsRecord(t *testing.T) {
	f := open(t)
	sealed, err := f.sealer.seal(model.ID{1}, "key", "secret")
	check(t, err)
	if got, err := f.sealer.open(model.ID{1}, "key", sealed); err != nil || got != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	for _, c := range []struct {
		id     model.ID
		field  string
		sealed string
	}{{model.ID{2}, "key", sealed}, {model.ID{1}, "value", sealed}, {model.ID{1}, "key", "A" + sealed[1:]}, {model.ID{1}, "key", "AAAA"}, {model.ID{1}, "key", "?"}} {
		if got, err := f.sealer.open(c.id, c.field, c.sealed); err == nil {
			t.Errorf("%v %s opened %q", c.id, c.field, got)
		}
	}
}

func TestKeysAreMadeOnceAndKept(t *testing.T) {
	f := open(t)
	path := filepath.Join(f.opts.Dir, keysFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file %v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(f.opts.Dir, databaseFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("database %v, %v", info, err)
	}
	again, err := OpenKeys(f.opts.Dir, nil)
	if err != nil || !reflect.DeepEqual(again, f.opts.Keys) {
		t.Errorf("the keys changed: %v", err)
	}
	if _, err := CreateKeys(path, nil); err == nil {
		t.Error("keys were written over")
	}
	left, err := filepath.Glob(filepath.Join(f.opts.Dir, ".keys-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
	check(t, os.Chmod(path, 0o640))
	if _, err := OpenKeys(f.opts.Dir, nil); err == nil {
		t.Error("keys that others may read are used")
	}
	check(t, os.Remove(path))
	if _, err := OpenKeys(f.opts.Dir, nil); err == nil {
		t.Error("new keys were made beside an old database")
	}
	check(t, os.WriteFile(path, []byte(`{"version":1,"lookup":"AAAA"}`), 0o600))
	if _, err := OpenKeys(f.opts.Dir, nil); err == nil {
		t.Error("a cut key file is used")
	}
}

func TestForeignKeysAreRefused(t *testing.T) {
	f := open(t)
	check(t, f.Close())
	o := f.opts
	o.Keys = &Keys{}
	if r, err := Open(t.Context(), o); err == nil {
		check(t, r.Close())
		t.Error("the database opened with the keys of another")
	}
}

func BenchmarkDeviceByToken(b *testing.B) {
	f := open(b)
	f.addDevice(b, "a")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := f.DeviceByToken("token of a"); !ok {
			b.Fatal("not found")
		}
	}
}

package registry

import (
	"bytes"
	"context"
	"crypto/sha3"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/tidewire/tidewire/model"
)

// tokenLength is that of access tokens made here (contract thingsboard 3.1): 119 bits.
const tokenLength = 20

// maxCertificate bounds a credential's value: a chain of certificates fits.
const maxCertificate = 64 << 10

// randomToken makes an access token. Bytes that would favor some letters are dropped.
func (r *Registry) randomToken() (string, error) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	token := make([]byte, 0, tokenLength)
	var b [1]byte
	for len(token) < tokenLength {
		if _, err := io.ReadFull(r.opts.Random, b[:]); err != nil {
			return "", fmt.Errorf("registry: read randomness for a token: %w", err)
		}
		if n := int(b[0]); n < 256-256%len(letters) {
			token = append(token, letters[n%len(letters)])
		}
	}
	return string(token), nil
}

// A mqttBasic is the value of MQTT_BASIC credentials.
type mqttBasic struct {
	ClientID string `json:"clientId"`
	UserName string `json:"userName"`
	Password string `json:"password"`
}

// completeCredentials checks c and derives Key where clients do not choose it (contract
// thingsboard 3.2).
func completeCredentials(c *model.Credentials) error {
	if len(c.Value) > maxCertificate {
		return model.Invalidf("Validation error: credentialsValue length must be equal or less than %d", maxCertificate)
	}
	switch c.Type {
	case model.AccessToken:
		c.Value = ""
	case model.X509Certificate:
		if block, _ := pem.Decode([]byte(c.Value)); block == nil {
			return model.Invalidf("Certificate is not in PEM format!")
		}
		c.Key = digest(pemBody(c.Value))
	case model.MQTTBasic:
		if err := completeMQTT(c); err != nil {
			return err
		}
	case model.LwM2M: // the client names the endpoint; what opens it is its own JSON
		if c.Value != "" && !json.Valid([]byte(c.Value)) {
			return model.Invalidf("Invalid credentials body for LwM2M credentials!")
		}
	default:
		return model.Invalidf("Unsupported credentials type '%s'!", c.Type)
	}
	if c.Key == "" {
		return model.Invalidf("Device credentials id should be specified!")
	}
	if strings.ContainsFunc(c.Key, unicode.IsControl) {
		return model.Invalidf("Device credentials should not contain control characters!")
	}
	return checkCredentialLength(c.Key)
}

func checkCredentialLength(key string) error {
	if len(key) > maxText {
		return model.Invalidf("Validation error: credentialsId length must be equal or less than %d", maxText)
	}
	return nil
}

func completeMQTT(c *model.Credentials) error {
	var v mqttBasic
	d := json.NewDecoder(bytes.NewReader([]byte(c.Value)))
	if err := d.Decode(&v); err != nil || d.More() {
		return model.Invalidf("Invalid credentials body for simple mqtt credentials!")
	}
	for _, s := range []string{v.ClientID, v.UserName, v.Password} {
		if strings.ContainsFunc(s, unicode.IsControl) {
			return model.Invalidf("Device credentials should not contain control characters!")
		}
	}
	switch {
	case v.ClientID == "" && v.UserName == "":
		return model.Invalidf("Both mqtt client id and user name are empty!")
	case v.Password != "" && v.UserName == "":
		return model.Invalidf("Password cannot be specified along with client id")
	case v.ClientID == "":
		c.Key = v.UserName
	case v.UserName == "":
		c.Key = digest(v.ClientID)
	default:
		c.Key = digest(v.ClientID + "|" + v.UserName)
	}
	return nil
}

// digest is the hash of derived credential ids (contract thingsboard 3.2).
func digest(s string) string {
	sum := sha3.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// pemBody is a certificate's text without its frame and line ends: what devices and clients
// hash.
func pemBody(s string) string {
	for _, frame := range []string{"-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "\r", "\n", " "} {
		s = strings.ReplaceAll(s, frame, "")
	}
	return s
}

const credentialsColumns = `c.id, d.tenant_id, c.device_id, c.created, c.version, c.type, c.sealed_key, c.sealed_value
	FROM credentials c JOIN devices d ON d.id = c.device_id`

func scanCredentials(s scanner) (*model.Credentials, error) {
	var c model.Credentials
	return &c, s.Scan(idText{&c.ID}, idText{(*model.ID)(&c.Tenant)}, idText{(*model.ID)(&c.Device)}, &c.Created, &c.Version,
		&c.Type, &c.Key, &c.Value)
}

// Credentials returns what lets a device of a tenant in, decrypted.
func (r *Registry) Credentials(ctx context.Context, t model.TenantID, device model.EntityID) (*model.Credentials, error) {
	c, err := first(ctx, r.reader, scanCredentials, "SELECT "+credentialsColumns+" WHERE d.tenant_id = $1 AND d.id = $2",
		t.String(), device.String())
	if err != nil {
		return nil, fmt.Errorf("registry: read credentials of device %s: %w", device, err)
	}
	if c == nil {
		return nil, missing("Device", model.ID(device))
	}
	if c.Key, err = r.sealer.open(c.ID, "key", c.Key); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	if c.Value, err = r.sealer.open(c.ID, "value", c.Value); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return c, nil
}

// SaveCredentials replaces what lets a device in. ID and Device must be those Credentials
// returned. It fills Created, Version and a derived Key. The old credentials open nothing
// from then on.
func (r *Registry) SaveCredentials(ctx context.Context, c *model.Credentials) error {
	next := *c
	if err := completeCredentials(&next); err != nil {
		return err
	}
	err := r.write(ctx, func(tx *tx) error {
		old, err := first(tx.ctx, tx.sql, scanCredentials, "SELECT "+credentialsColumns+" WHERE d.tenant_id = $1 AND c.id = $2 AND d.id = $3",
			c.Tenant.String(), c.ID.String(), c.Device.String())
		if err != nil {
			return fmt.Errorf("registry: read credentials %s: %w", c.ID, err)
		}
		if old == nil {
			return model.Invalidf("Unable to update non-existent device credentials!")
		}
		if err := checkVersion("Device credentials", c.Version, old.Version); err != nil {
			return err
		}
		next.Created, next.Version = old.Created, old.Version+1
		return r.putCredentials(tx, &next, `UPDATE credentials SET device_id = $2, created = $3, version = $4, type = $5,
			lookup = $6, sealed_key = $7, sealed_value = $8 WHERE id = $1`)
	})
	if err == nil {
		*c = next
	}
	return err
}

// insertCredentials gives a new device its credentials.
func (r *Registry) insertCredentials(tx *tx, c *model.Credentials) error {
	if err := completeCredentials(c); err != nil {
		return err
	}
	c.ID, c.Created, c.Version = r.newID(), r.now(), 1
	return r.putCredentials(tx, c, `INSERT INTO credentials (id, device_id, created, version, type, lookup, sealed_key, sealed_value)
		VALUES (`+placeholders(1, 8)+`)`)
}

func (r *Registry) putCredentials(tx *tx, c *model.Credentials, statement string) error {
	l := r.sealer.lookup(c.Key)
	taken, err := tx.exists("SELECT id FROM credentials WHERE lookup = $1 AND id <> $2", l.String(), c.ID.String())
	if err != nil {
		return fmt.Errorf("registry: look for credentials in use: %w", err)
	}
	if taken {
		return model.Invalidf("Device credentials are already assigned to another device!")
	}
	key, err := r.sealer.seal(c.ID, "key", c.Key)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	value, err := r.sealer.seal(c.ID, "value", c.Value)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	err = tx.execOne(statement, c.ID.String(), c.Device.String(), c.Created, c.Version, c.Type, l.String(), key, value)
	if isDuplicate(err) { // another server was faster
		return model.Invalidf("Specified credentials are already registered!")
	}
	if err != nil {
		return fmt.Errorf("registry: save credentials: %w", err)
	}
	tx.rights = true
	device, typ := c.Device, c.Type
	tx.then(func() { r.dir.setCredential(device, l, typ) })
	return nil
}

// loadCredentials fills the directory's part of credentials.
func (r *Registry) loadCredentials(ctx context.Context) error {
	_, err := collect(ctx, r.reader, func(s scanner) (struct{}, error) {
		var device model.EntityID
		var typ model.CredentialsType
		var text string
		if err := s.Scan(idText{(*model.ID)(&device)}, &typ, &text); err != nil {
			return struct{}{}, err
		}
		l, err := parseLookup(text)
		if err == nil {
			r.dir.setCredential(device, l, typ)
		}
		return struct{}{}, err
	}, "SELECT device_id, type, lookup FROM credentials")
	return err
}

package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/tidewire/tidewire/mail"
)

// Config is what an operator decides. The zero value of a field means what it says.
type Config struct {
	Listen  string // address of the HTTP server; port 0 takes a free one
	DataDir string // holds everything
	Demo    bool   // show the machine and the weather records
	// URL is how browsers reach the server, for printed links. Empty means the address it
	// listens on.
	URL string
	// TLSCert and TLSKey are PEM files. Both empty means plain HTTP.
	TLSCert, TLSKey string
	// UserTokens lets administrators log in as the users below them, and make API keys of theirs.
	UserTokens bool
	// Mail sends links to people. Its zero value means that they stand in the log.
	Mail mail.SMTP
	// TrustedProxies are networks whose X-Forwarded-For is believed. Empty means nobody's.
	TrustedProxies []string
	// CORSOrigins are the origins whose pages may call the server, such as
	// https://app.example.com; "*" is every one. Empty means none but its own.
	CORSOrigins []string
	// HeadBytes bounds the memory of points not yet in row groups. Zero means the engine's
	// default.
	HeadBytes int64
	// MinFree is how much of the disk, bytes, must be free for writes to be taken. Zero means
	// the engine's default, about 1 GiB; less than zero means that there is no floor.
	MinFree int64
	// MaxDeviceSeries and MaxTenantSeries bound the keys of one entity and scope, and those of
	// all entities of a tenant. Zero means 10,000 and ten million.
	MaxDeviceSeries int
	MaxTenantSeries int64
	// MaxDisk is how much telemetry may take on disk, bytes; above it the oldest goes. Zero
	// bounds nothing.
	MaxDisk int64
	// KeepDays is how long time series are kept where their tenant says nothing. Zero is for ever.
	KeepDays int
	// KeepAttributeDays and KeepAttributeVersions likewise bound the history of attributes.
	KeepAttributeDays, KeepAttributeVersions int
	// AuditDays is how long the audit log reaches back. Zero is for ever.
	AuditDays int
	// MaxBuckets bounds one aggregated answer. Zero means 700, as clients of the contract
	// expect (thingsboard 17).
	MaxBuckets int64
	// KeepNumericStrings stores strings such as "42" as strings and refuses integers beyond 64
	// bits. MaxStringLength bounds string values, in characters; zero bounds nothing (contract
	// thingsboard 4.2).
	KeepNumericStrings bool
	MaxStringLength    int
	// BackupDir is where the server may write backups. Empty means nowhere.
	BackupDir string
	// Drain is how long a stop waits for requests in flight. Zero means 10 s.
	Drain time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// withDefaults returns a filled-in copy, or an error that names the setting.
func (c Config) withDefaults() (Config, error) {
	if c.DataDir == "" {
		return c, errors.New("data: no directory was named")
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return c, fmt.Errorf("listen: %q is not an address such as 127.0.0.1:8080", c.Listen)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return c, errors.New("tls-cert, tls-key: one without the other")
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return c, fmt.Errorf("url: %q is not a URL such as https://tidewire.example.com", c.URL)
		}
		c.URL = strings.TrimSuffix(c.URL, "/")
	}
	for _, p := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			return c, fmt.Errorf("trusted-proxies: %q is not a network such as 10.0.0.0/8", p)
		}
	}
	for i, o := range c.CORSOrigins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || o != u.Scheme+"://"+u.Host) {
			return c, fmt.Errorf("cors-origin: %q is neither an origin such as https://app.example.com nor *", o)
		}
		c.CORSOrigins[i] = strings.ToLower(o)
	}
	if c.MaxDeviceSeries < 0 || c.MaxTenantSeries < 0 {
		return c, fmt.Errorf("max-device-series, max-tenant-series: %d, %d: less than 1", c.MaxDeviceSeries, c.MaxTenantSeries)
	}
	if c.Mail.Addr != "" {
		if err := c.Mail.Check(); err != nil {
			return c, err
		}
		if c.URL == "" {
			return c, errors.New("url: links in mails need it to lead somewhere; set --url to how browsers reach the server")
		}
	}
	if c.MaxBuckets < 0 {
		return c, fmt.Errorf("max-buckets: %d is less than 1", c.MaxBuckets)
	}
	for name, days := range map[string]int{
		"keep-days": c.KeepDays, "keep-attribute-days": c.KeepAttributeDays, "keep-attribute-versions": c.KeepAttributeVersions,
		"audit-days": c.AuditDays,
	} {
		if days < 0 {
			return c, fmt.Errorf("%s: %d is less than 0, which keeps everything", name, days)
		}
	}
	if c.MaxStringLength < 0 {
		return c, fmt.Errorf("max-string-length: %d is less than 0, which bounds nothing", c.MaxStringLength)
	}
	if c.MaxDisk < 0 {
		return c, fmt.Errorf("max-disk: %d is less than 0, which bounds nothing", c.MaxDisk)
	}
	if c.Drain == 0 {
		c.Drain = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// An ExitError ends the process with an exit code of its own, so that whoever supervises
// it can tell why.
type ExitError struct {
	Code int
	Err  error
}

// The exit codes beside 0 (orderly stop), 1 (any failure) and 2 (wrong usage).
const (
	ExitStorage = 3 // the disk failed under a write: nothing was acknowledged after it
	ExitDamaged = 4 // check, or a backup, found damage
	ExitInUse   = 5 // another process holds the data directory
)

func (e *ExitError) Error() string { return e.Err.Error() }
func (e *ExitError) Unwrap() error { return e.Err }

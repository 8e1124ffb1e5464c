package main

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/tidewire/tidewire/app"
	"github.com/tidewire/tidewire/mail"
)

type serveCmd struct {
	Listen          string        `help:"Address of the HTTP server; port 0 takes a free one." default:"127.0.0.1:8080"`
	Data            string        `help:"Directory that holds everything." default:"data" type:"path"`
	Demo            bool          `help:"Show the machine's own figures and weather records."`
	URL             string        `help:"How browsers reach the server, for the links it prints." placeholder:"URL"`
	TLSCert         string        `help:"Certificate, PEM. Serves HTTPS." type:"existingfile" placeholder:"FILE"`
	TLSKey          string        `help:"Private key of the certificate, PEM." type:"existingfile" placeholder:"FILE"`
	SMTPHost        string        `help:"Mail server for activation and password links. Without it they stand in the log." placeholder:"HOST:PORT" name:"smtp-host"`
	SMTPFrom        string        `help:"Sender of mails." placeholder:"ADDRESS" name:"smtp-from"`
	SMTPUsername    string        `help:"Login of the mail server." placeholder:"NAME" name:"smtp-username"`
	SMTPPassword    string        `help:"Password of the mail server; better in TIDEWIRE_SMTP_PASSWORD or TIDEWIRE_SMTP_PASSWORD_FILE." secret:"" placeholder:"PASSWORD" name:"smtp-password"`
	SMTPSecurity    string        `help:"How the mail server is reached: starttls, tls or off." default:"starttls" enum:"starttls,tls,off" name:"smtp-security"`
	UserTokens      bool          `help:"Let administrators log in as the users below them, and make API keys of theirs."`
	BackupDir       string        `help:"Directory below which the server writes backups when a system administrator asks." type:"path" placeholder:"DIR"`
	TrustedProxies  []string      `help:"Networks whose X-Forwarded-For is believed." placeholder:"CIDR"`
	CORSOrigin      []string      `help:"Origins whose pages may call the server, such as https://app.example.com; * for all." placeholder:"ORIGIN" name:"cors-origin"`
	HeadSize        int64         `help:"Memory for points not yet in row groups, bytes." default:"268435456"`
	MinFree         int64         `help:"Bytes of the disk that must be free for writes; 0: about 1 GiB, -1: no floor." default:"0"`
	MaxDeviceSeries int           `help:"Most keys of one device and scope." default:"10000"`
	MaxTenantSeries int64         `help:"Most keys of all devices of a tenant." default:"10000000"`
	MaxDisk         int64         `help:"Most telemetry may take on disk, bytes; above it the oldest month goes, but for the present one. 0: no bound." default:"0"`
	KeepDays        int           `help:"Days time series are kept where their tenant says nothing. 0: for ever." default:"0"`
	KeepAttrDays    int           `help:"Days the history of attributes is kept, likewise." name:"keep-attribute-days" default:"365"`
	KeepAttrCount   int           `help:"Versions of an attribute that are kept, likewise." name:"keep-attribute-versions" default:"1000"`
	AuditDays       int           `help:"Days the audit log reaches back. 0: for ever." default:"400"`
	MaxBuckets      int64         `help:"Most buckets of one aggregated answer." default:"700"`
	KeepNumbers     bool          `help:"Store strings such as \"42\" as strings, and refuse integers beyond 64 bits." name:"keep-numeric-strings"`
	MaxString       int           `help:"Most characters of a string value. 0: no bound but that of a value, 1 MiB." name:"max-string-length" default:"0"`
	Drain           time.Duration `help:"How long a stop waits for requests in flight." default:"10s"`
	LogLevel        slog.Level    `help:"debug, info, warn or error." default:"info"`
	LogJSON         bool          `help:"Log as JSON." name:"log-json"`
}

// Run serves until the context ends.
func (c *serveCmd) Run(ctx context.Context, s *streams) error {
	var handler slog.Handler
	if options := (&slog.HandlerOptions{Level: c.LogLevel}); c.LogJSON {
		handler = slog.NewJSONHandler(s.err, options)
	} else {
		handler = slog.NewTextHandler(s.err, options)
	}
	return app.Run(ctx, c.config(), slog.New(handler), s.out)
}

// config is what the flags say.
func (c *serveCmd) config() app.Config {
	return app.Config{
		Listen: c.Listen, DataDir: c.Data, Demo: c.Demo, URL: c.URL,
		TLSCert: c.TLSCert, TLSKey: c.TLSKey, TrustedProxies: c.TrustedProxies, CORSOrigins: c.CORSOrigin, UserTokens: c.UserTokens,
		Mail:      mail.SMTP{Addr: c.SMTPHost, From: c.SMTPFrom, Username: c.SMTPUsername, Password: c.SMTPPassword, Security: c.SMTPSecurity},
		HeadBytes: c.HeadSize, MinFree: c.MinFree, MaxBuckets: c.MaxBuckets,
		KeepNumericStrings: c.KeepNumbers, MaxStringLength: c.MaxString,
		MaxDisk: c.MaxDisk, KeepDays: c.KeepDays, KeepAttributeDays: c.KeepAttrDays, KeepAttributeVersions: c.KeepAttrCount, AuditDays: c.AuditDays,
		MaxDeviceSeries: c.MaxDeviceSeries, MaxTenantSeries: c.MaxTenantSeries, Drain: c.Drain, BackupDir: c.BackupDir,
	}
}

type checkCmd struct {
	Dir  string `arg:"" optional:"" help:"Data directory of a stopped server, or a backup." type:"path"`
	Data string `help:"The same." default:"data" type:"path"`

	Repair bool `help:"Make what is damaged whole again, and print what is lost."`
}

// Run verifies the directory, or repairs it, and prints what it holds.
func (c *checkCmd) Run(ctx context.Context, s *streams) error {
	if c.Repair {
		return app.Repair(ctx, cmp.Or(c.Dir, c.Data), s.out)
	}
	return app.Check(ctx, cmp.Or(c.Dir, c.Data), s.out)
}

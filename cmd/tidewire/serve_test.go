package main

import (
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/app"
	"github.com/tidewire/tidewire/mail"
)

// Every flag of the server reaches its configuration, and its defaults are those the
// documentation names.
func TestEveryFlagOfTheServerIsAMemberOfItsConfiguration(t *testing.T) {
	t.Chdir("/")
	parse := func(args ...string) app.Config {
		t.Helper()
		var c cli
		parser, err := kong.New(&c, kong.Name("tidewire"), kong.Exit(func(int) {}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(append([]string{"serve"}, args...)); err != nil {
			t.Fatal(err)
		}
		return c.Serve.config()
	}
	defaults := app.Config{
		Listen: "127.0.0.1:8080", DataDir: "/data", Mail: mail.SMTP{Security: "starttls"},
		HeadBytes: 256 << 20, MaxDeviceSeries: 10_000, MaxTenantSeries: 10_000_000,
		KeepAttributeDays: 365, KeepAttributeVersions: 1000, AuditDays: 400, MaxBuckets: 700, Drain: 10 * time.Second,
	}
	if diff := cmp.Diff(defaults, parse()); diff != "" {
		t.Errorf("without flags (-want +got):\n%s", diff)
	}
	pem := write(t, "")
	want := app.Config{
		Listen: ":1", DataDir: "/d", Demo: true, URL: "http://u", TLSCert: pem, TLSKey: pem, UserTokens: true,
		Mail:           mail.SMTP{Addr: "m:25", From: "f@m", Username: "n", Password: "p", Security: "tls"},
		TrustedProxies: []string{"10.0.0.0/8"}, CORSOrigins: []string{"https://o"},
		HeadBytes: 2, MinFree: 3, MaxDeviceSeries: 4, MaxTenantSeries: 5, MaxDisk: 6, KeepDays: 7,
		KeepAttributeDays: 8, KeepAttributeVersions: 9, AuditDays: 10, MaxBuckets: 11, BackupDir: "/b", Drain: 12 * time.Second,
	}
	got := parse("--listen=:1", "--data=/d", "--demo", "--url=http://u", "--tls-cert="+pem, "--tls-key="+pem, "--user-tokens",
		"--smtp-host=m:25", "--smtp-from=f@m", "--smtp-username=n", "--smtp-password=p", "--smtp-security=tls",
		"--trusted-proxies=10.0.0.0/8", "--cors-origin=https://o",
		"--head-size=2", "--min-free=3", "--max-device-series=4", "--max-tenant-series=5", "--max-disk=6", "--keep-days=7",
		"--keep-attribute-days=8", "--keep-attribute-versions=9", "--audit-days=10", "--max-buckets=11", "--backup-dir=/b", "--drain=12s")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with every flag (-want +got):\n%s", diff)
	}
}

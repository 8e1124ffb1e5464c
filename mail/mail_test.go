package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tidewire/tidewire/mail/mailtest"
	"github.com/tidewire/tidewire/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// certificates are a server's and what trusts it.
func certificates(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	h := httptest.NewTLSServer(nil)
	defer h.Close()
	client = h.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "example.com"
	return h.TLS.Clone(), client
}

var message = &model.Mail{To: "ada@example.org", Subject: "Zürich\r\nBcc: x@example.org", Text: "Grüße.\nhttps://tide.example/login?a=b\n.\nEnd", Link: "https://tide.example/login?a=b"}

func TestMailArrivesOverEveryKindOfConnection(t *testing.T) {
	server, client := certificates(t)
	for _, c := range []struct {
		security string
		direct   bool
		tls      *tls.Config
	}{{StartTLS, false, server}, {TLS, true, server}, {Off, false, nil}} {
		s := mailtest.Listen(t, c.tls, c.direct)
		sender := &SMTP{Addr: s.Addr, From: "Tidewire <tide@example.org>", Username: "u", Password: "p", Security: c.security, TLS: client,
			Now: func() time.Time { return time.UnixMilli(1_700_000_000_000).UTC() }}
		if err := errors.Join(sender.Check(), sender.Send(t.Context(), message)); err != nil {
			t.Fatalf("%s: %v", c.security, err)
		}
		m := <-s.Messages
		if m.From != "tide@example.org" || m.To != "ada@example.org" || m.Login != "u p" || m.Private != (c.tls != nil) {
			t.Errorf("%s: %+v", c.security, m)
		}
		head, body, _ := strings.Cut(m.Data, "\r\n\r\n")
		for _, line := range []string{`From: "Tidewire" <tide@example.org>`, "To: <ada@example.org>", "Subject: =?utf-8?q?Z=C3=BCrich__Bcc:_x@example.org?=", "Date: Tue, 14 Nov 2023 22:13:20 +0000"} {
			if !strings.Contains("\r\n"+head+"\r\n", "\r\n"+line+"\r\n") {
				t.Errorf("%s: %q is not in\n%s", c.security, line, head)
			}
		}
		text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
		if got := strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")); err != nil || got != message.Text {
			t.Errorf("%s: %q, %v", c.security, got, err)
		}
	}
}

func TestAServerWithoutTLSIsNotTrusted(t *testing.T) {
	s := mailtest.Listen(t, nil, false)
	sender := &SMTP{Addr: s.Addr, From: "tide@example.org"}
	if err := sender.Send(t.Context(), message); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("%v", err)
	}
	server, _ := certificates(t)
	s = mailtest.Listen(t, server, false)
	sender.Addr = s.Addr
	if err := sender.Send(t.Context(), message); err == nil { // nobody vouches for its certificate
		t.Error("a stranger's certificate was taken")
	}
}

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	for want, s := range map[string]SMTP{
		"smtp-host":     {Addr: "mail.example.com", From: "a@b.org"},
		"smtp-from":     {Addr: "mail.example.com:25", From: "nobody"},
		"smtp-security": {Addr: "mail.example.com:25", From: "a@b.org", Security: "maybe"},
	} {
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, m := range []*model.Mail{{To: "a@b.org\r\nRCPT TO:<x@y.org>"}, {To: ""}} {
		if err := (&SMTP{Addr: "127.0.0.1:1", From: "a@b.org"}).Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "receiver") {
			t.Errorf("%v", err)
		}
	}
}

func TestARefusedMailIsTriedAgain(t *testing.T) {
	s := mailtest.Listen(t, nil, false)
	s.Refuse(2)
	var log bytes.Buffer
	q := New(&SMTP{Addr: s.Addr, From: "a@b.org", Security: Off}, Options{Retries: []time.Duration{0, 0}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := q.Post(func(context.Context) (*model.Mail, error) { return message, nil }); err != nil {
		t.Fatal(err)
	}
	<-s.Messages
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(log.String(), "a mail was not sent"); got != 2 {
		t.Errorf("%d failures in the log:\n%s", got, log.String())
	}
}

// A failing is a Sender that never succeeds.
type failing struct{ attempts atomic.Int64 }

func (f *failing) Send(context.Context, *model.Mail) error {
	f.attempts.Add(1)
	return errors.New("nobody there")
}

func TestAQueueWaitsGivesUpAndRefusesMoreThanItHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{}
		q := New(f, Options{Waiting: 1})
		job := func(context.Context) (*model.Mail, error) { return message, nil }
		check := func(err error, kind model.Kind) {
			t.Helper()
			if (err == nil) != (kind == model.Internal) || err != nil && model.KindOf(err) != kind {
				t.Errorf("%v", err)
			}
		}
		check(q.Post(job), model.Internal)
		synctest.Wait() // it is being sent
		check(q.Post(func(context.Context) (*model.Mail, error) { return nil, nil }), model.Internal)
		check(q.Post(job), model.Overload)
		time.Sleep(time.Hour)
		if n := f.attempts.Load(); n != 4 {
			t.Errorf("%d attempts, want 4", n)
		}
		check(q.Post(func(context.Context) (*model.Mail, error) { return nil, errors.New("no account") }), model.Internal)
		check(q.Post(job), model.Internal)
		synctest.Wait()
		if err := q.Close(); err != nil { // in the midst of a wait
			t.Error(err)
		}
	})
}

func TestWithoutAMailServerTheLinkStandsInTheLog(t *testing.T) {
	var log bytes.Buffer
	if err := (Log{slog.New(slog.NewTextHandler(&log, nil))}).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), message.Link) || !strings.Contains(log.String(), "ada@example.org") {
		t.Error(log.String())
	}
}

package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"strings"
	"time"

	"github.com/tidewire/tidewire/model"
)

// How a connection to the mail server is kept from other eyes.
const (
	StartTLS = "starttls" // after a greeting in the clear; refused where the server cannot
	TLS      = "tls"      // from the first byte
	Off      = "off"      // not at all: for a server on the same machine
)

// SMTP sends mail through a server (RFC 5321). Addr and From are required.
type SMTP struct {
	Addr               string // host:port
	From               string // an address, with or without a name
	Username, Password string // none when Username is ""
	Security           string // StartTLS, TLS or Off; "" means StartTLS
	// Timeout bounds the delivery of one message. Zero means 30 s.
	Timeout time.Duration
	Now     func() time.Time // for the date of messages; nil means time.Now
	// TLS is for tests with certificates of their own. Nil means the system's roots.
	TLS *tls.Config
}

// Check returns an error that names the setting that cannot work.
func (s *SMTP) Check() error {
	if _, _, err := net.SplitHostPort(s.Addr); err != nil {
		return fmt.Errorf("smtp-host: %q is not an address such as mail.example.com:587", s.Addr)
	}
	if _, err := mail.ParseAddress(s.From); err != nil {
		return fmt.Errorf("smtp-from: %q is not an e-mail address", s.From)
	}
	switch s.Security {
	case "", StartTLS, TLS, Off:
		return nil
	}
	return fmt.Errorf("smtp-security: %q is none of starttls, tls, off", s.Security)
}

// Send implements Sender.
func (s *SMTP) Send(ctx context.Context, m *model.Mail) (err error) {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return fmt.Errorf("mail: sender %q: %w", s.From, err)
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil {
		return fmt.Errorf("mail: receiver %q: %w", m.To, err)
	}
	c, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("mail: reach %s: %w", s.Addr, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if s.Username != "" {
		host, _, _ := net.SplitHostPort(s.Addr)
		// It refuses to say the password in the clear, but to this machine.
		if err := c.Auth(smtp.PlainAuth("", s.Username, s.Password, host)); err != nil {
			return fmt.Errorf("mail: log in as %s: %w", s.Username, err)
		}
	}
	if err := c.Mail(from.Address); err != nil {
		return fmt.Errorf("mail: sender %s: %w", from.Address, err)
	}
	if err := c.Rcpt(to.Address); err != nil {
		return fmt.Errorf("mail: receiver %s: %w", to.Address, err)
	}
	w, err := c.Data()
	if err != nil {
		return fmt.Errorf("mail: begin the message: %w", err)
	}
	if _, err := w.Write(s.compose(from, to, m)); err != nil {
		return fmt.Errorf("mail: send the message: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("mail: end the message: %w", err)
	}
	return c.Quit()
}

// dial opens a connection that is as private as Security says.
func (s *SMTP) dial(ctx context.Context) (*smtp.Client, error) {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	host, _, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.TLS != nil {
		config = s.TLS.Clone()
	}
	if s.Security == TLS {
		conn = tls.Client(conn, config)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if s.Security == "" || s.Security == StartTLS {
		if err := c.StartTLS(config); err != nil {
			return nil, errors.Join(fmt.Errorf("STARTTLS: %w", err), c.Close())
		}
	}
	return c, nil
}

// compose writes a message of plain text (RFC 5322, 2045).
func (s *SMTP) compose(from, to *mail.Address, m *model.Mail) []byte {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", from.String()},
		{"To", to.String()},
		{"Subject", mime.QEncoding.Encode("utf-8", oneLine(m.Subject))},
		{"Date", now().Format(time.RFC1123Z)},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
		{"Auto-Submitted", "auto-generated"},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	// Writing to memory does not fail.
	_, _ = w.Write([]byte(strings.ReplaceAll(m.Text, "\n", "\r\n")))
	_ = w.Close()
	return b.Bytes()
}

// oneLine keeps a header from becoming two.
func oneLine(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

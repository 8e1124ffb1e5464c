// Package mailtest is a mail server for tests: it speaks SMTP on a real socket and keeps what
// it is sent.
package mailtest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// A Message is what came in, as it was sent.
type Message struct {
	From, To string
	Data     string // header and body
	Login    string // user and password, a blank between them; "" without a login
	Private  bool   // it came over TLS
}

// A Server listens on this machine.
type Server struct {
	Addr     string
	Messages chan Message // what arrived; of a hundred
	tls      *tls.Config
	mu       struct {
		sync.Mutex
		refusals int
	}
}

// Listen starts a server that ends with the test. With config it offers STARTTLS; direct
// means TLS from the first byte.
func Listen(t testing.TB, config *tls.Config, direct bool) *Server {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), Messages: make(chan Message, 100), tls: config}
	if direct {
		l = tls.NewListener(l, config)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() { s.serve(conn, direct) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		done.Wait()
	})
	return s
}

// Refuse has the server turn the next n messages away.
func (s *Server) Refuse(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.refusals = n
}

func (s *Server) refuses() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.refusals--
	return s.mu.refusals >= 0
}

func (s *Server) serve(conn net.Conn, private bool) {
	defer func() { _ = conn.Close() }()
	m := Message{Private: private}
	r := bufio.NewReader(conn)
	say := func(text string) { _, _ = fmt.Fprintf(conn, "%s\r\n", text) }
	say("220 test ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-test")
			if s.tls != nil && !m.Private {
				say("250-STARTTLS")
			}
			say("250 AUTH PLAIN")
		case "STARTTLS":
			if s.tls == nil {
				say("502 not here")
				continue
			}
			say("220 go")
			secure := tls.Server(conn, s.tls)
			conn, r, m.Private = secure, bufio.NewReader(secure), true
		case "AUTH":
			_, blob, _ := strings.Cut(rest, " ")
			plain, _ := base64.StdEncoding.DecodeString(blob)
			m.Login = strings.TrimSpace(strings.ReplaceAll(string(plain), "\x00", " "))
			say("235 welcome")
		case "MAIL":
			if s.refuses() {
				say("451 come back later")
				continue
			}
			m.From = address(rest)
			say("250 ok")
		case "RCPT":
			m.To = address(rest)
			say("250 ok")
		case "DATA":
			say("354 go")
			var data strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				data.WriteString(strings.TrimPrefix(line, "."))
			}
			m.Data = data.String()
			s.Messages <- m
			say("250 kept")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// address returns what stands between < and >.
func address(s string) string {
	_, s, _ = strings.Cut(s, "<")
	s, _, _ = strings.Cut(s, ">")
	return s
}

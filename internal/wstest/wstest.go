// Package wstest is a WebSocket client for tests that takes nothing on trust. It shares no code
// with any WebSocket library: what it reads it holds against RFC 6455 byte by byte, and what it
// sends may break that in every way.
package wstest

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // RFC 6455 4.2.2 asks for it
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"unicode/utf8"
)

// The opcodes of RFC 6455 5.2.
const (
	Continuation byte = 0x0
	Text         byte = 0x1
	Binary       byte = 0x2
	Close        byte = 0x8
	Ping         byte = 0x9
	Pong         byte = 0xA
)

// A Frame is one to be sent. The zero value of all but Op is a masked, whole, empty one.
type Frame struct {
	Op       byte
	More     bool // FIN is not set
	RSV      byte // three bits
	Unmasked bool
	Payload  string
	// Length, when not zero, is the length that the header tells instead of the payload's.
	Length uint64
}

// Bytes returns the frame as it goes over the wire, with its length in the shortest form.
func (f Frame) Bytes() []byte {
	first := f.Op | f.RSV<<4
	if !f.More {
		first |= 0x80
	}
	mask := byte(0x80)
	if f.Unmasked {
		mask = 0
	}
	n := f.Length
	if n == 0 {
		n = uint64(len(f.Payload))
	}
	var b []byte
	switch {
	case n < 126:
		b = []byte{first, mask | byte(n)}
	case n < 1<<16:
		b = []byte{first, mask | 126, byte(n >> 8), byte(n)}
	default:
		b = binary.BigEndian.AppendUint64([]byte{first, mask | 127}, n)
	}
	if f.Unmasked {
		return append(b, f.Payload...)
	}
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D} // of the example in RFC 6455 5.7
	b = append(b, key[:]...)
	for i := range len(f.Payload) {
		b = append(b, f.Payload[i]^key[i%4])
	}
	return b
}

// Message returns a whole text message as one frame.
func Message(text string) []byte { return Frame{Op: Text, Payload: text}.Bytes() }

// CloseFrame returns the frame that closes with a code.
func CloseFrame(code int, reason string) []byte {
	return Frame{Op: Close, Payload: string([]byte{byte(code >> 8), byte(code)}) + reason}.Bytes()
}

// A Client is one connection.
type Client struct {
	net.Conn
	r      *bufio.Reader
	closed bool // the server has sent a close frame
}

// A Violation is a byte that a server must not send.
type Violation struct{ Text string }

// Error implements error.
func (v *Violation) Error() string { return "RFC 6455: " + v.Text }

func violation(format string, args ...any) error { return &Violation{fmt.Sprintf(format, args...)} }

// nonce is the key of every handshake here.
const nonce = "x3JJHMbDL1EzLkh9GBhXDw=="

// Accepted returns what a server must answer to the handshakes of this package.
func Accepted() string {
	sum := sha1.Sum([]byte(nonce + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Request returns the bytes of a handshake. Headers are lines without their end.
func Request(path string, headers ...string) string {
	lines := append([]string{
		"GET " + path + " HTTP/1.1", "Host: tidewire.test", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + nonce,
	}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// Dial opens a connection to addr and does the handshake. No extension and no protocol may be
// agreed on, whatever headers offer.
func Dial(addr, path string, headers ...string) (*Client, error) {
	var d net.Dialer
	nc, err := d.DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	c, err := Handshake(nc, path, headers...)
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return c, nil
}

// A Refused is the answer of a server that does not upgrade.
type Refused struct{ Status int }

// Error implements error.
func (r *Refused) Error() string { return fmt.Sprintf("refused with %d", r.Status) }

// Handshake is Dial over an open connection.
func Handshake(nc net.Conn, path string, headers ...string) (*Client, error) {
	if _, err := io.WriteString(nc, Request(path, headers...)); err != nil {
		return nil, err
	}
	return Upgraded(nc)
}

// Upgraded reads the answer to a handshake that was sent.
func Upgraded(nc net.Conn) (*Client, error) {
	r := bufio.NewReader(nc)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, err
	}
	if err := res.Body.Close(); err != nil { // a 101 has none
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return nil, &Refused{res.StatusCode}
	}
	h := res.Header
	switch {
	case !strings.EqualFold(h.Get("Upgrade"), "websocket") || !strings.EqualFold(h.Get("Connection"), "upgrade"):
		return nil, violation("upgrade %q, connection %q", h.Get("Upgrade"), h.Get("Connection"))
	case h.Get("Sec-WebSocket-Accept") != Accepted():
		return nil, violation("the key was accepted with %q, want %q", h.Get("Sec-WebSocket-Accept"), Accepted())
	case len(h["Sec-Websocket-Extensions"]) > 0 || len(h["Sec-Websocket-Protocol"]) > 0:
		return nil, violation("agreed on extensions %q and protocol %q", h["Sec-Websocket-Extensions"], h["Sec-Websocket-Protocol"])
	}
	return &Client{Conn: nc, r: r}, nil
}

// Send writes bytes as they are.
func (c *Client) Send(b ...[]byte) error {
	for _, part := range b {
		if _, err := c.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// Chop writes bytes one by one, each a packet of its own as far as TCP lets it.
func (c *Client) Chop(b []byte) error {
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

// Next returns the next message or control frame. Whatever is wrong with it is a Violation.
// After a close frame nothing but the end may follow, which is io.EOF.
func (c *Client) Next() (op byte, payload string, err error) {
	op, fin, payload, err := c.frame()
	if err != nil {
		return 0, "", err
	}
	// Tidewire never sends a message in pieces. A client would have to bear it, so if it ever
	// comes to do that, this is where to learn it.
	switch {
	case !fin:
		return 0, "", violation("a fragment of opcode %x", op)
	case op == Continuation:
		return 0, "", violation("a continuation of nothing")
	case op == Text && !utf8.ValidString(payload):
		return 0, "", violation("text that is no UTF-8: %.100q", payload)
	case op == Close:
		c.closed = true
		return op, payload, checkClose(payload)
	}
	return op, payload, nil
}

func (c *Client) frame() (op byte, fin bool, payload string, err error) {
	var h [8]byte
	if n, err := io.ReadFull(c.r, h[:2]); err != nil {
		if n > 0 {
			err = violation("the connection ended within a header")
		}
		return 0, false, "", err
	}
	if c.closed {
		return 0, false, "", violation("%x %x follow a close frame", h[0], h[1])
	}
	op, fin = h[0]&0xF, h[0]&0x80 != 0
	switch {
	case h[0]&0x70 != 0:
		return 0, false, "", violation("reserved bits in %x", h[0])
	case op > Binary && op < Close || op > Pong:
		return 0, false, "", violation("opcode %x", op)
	case h[1]&0x80 != 0:
		return 0, false, "", violation("a server masks")
	}
	n := uint64(h[1])
	if op >= Close && n > 125 {
		return 0, false, "", violation("a control frame with length %d", n)
	}
	switch n {
	case 126:
		if _, err := io.ReadFull(c.r, h[:2]); err != nil {
			return 0, false, "", err
		}
		if n = uint64(binary.BigEndian.Uint16(h[:])); n < 126 {
			return 0, false, "", violation("a length of %d in two bytes", n)
		}
	case 127:
		if _, err := io.ReadFull(c.r, h[:8]); err != nil {
			return 0, false, "", err
		}
		if n = binary.BigEndian.Uint64(h[:]); n < 1<<16 || n > 1<<62 {
			return 0, false, "", violation("a length of %d in eight bytes", n)
		}
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c.r, b); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			err = violation("the connection ended within a payload of %d", n)
		}
		return 0, false, "", err
	}
	return op, fin, string(b), nil
}

// checkClose holds the payload of a close frame against RFC 6455 5.5.1 and 7.4.
func checkClose(payload string) error {
	if payload == "" {
		return nil
	}
	if len(payload) == 1 || !utf8.ValidString(payload[2:]) {
		return violation("closed with %q", payload)
	}
	switch code := Code(payload); {
	case code < 1000, code > 1014 && code < 3000, code > 4999, code == 1004, code == 1005, code == 1006:
		return violation("closed with code %d", code)
	}
	return nil
}

// Code returns the code in the payload of a close frame; 1005, which is none, for an empty one.
func Code(payload string) int {
	if len(payload) < 2 {
		return 1005
	}
	return int(payload[0])<<8 | int(payload[1])
}

// Closed reads until the server closes and returns the code, or zero when it did so without a
// close frame. Text and pongs on the way are read over. The frame is answered, and after it
// there must be nothing but the end.
func (c *Client) Closed() (code int, err error) {
	for {
		op, payload, err := c.Next()
		switch {
		case err == nil && op == Close:
			code = Code(payload)
			_ = c.Send(Frame{Op: Close, Payload: payload[:min(2, len(payload))]}.Bytes()) // it may be gone
		case err == nil:
		default:
			if _, ok := errors.AsType[*Violation](err); ok {
				return code, err
			}
			return code, nil // the end, or a reset for what was not read any more
		}
	}
}

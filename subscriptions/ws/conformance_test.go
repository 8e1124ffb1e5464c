package ws

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/internal/wstest"
	"github.com/tidewire/tidewire/model"
)

// The cases follow the list of the Autobahn test suite, by its numbers. That suite wants an
// echo, so a message here asks for the key whose name is what is to come back.

// echo is a command whose first frame holds the text as a key without a value.
func echo(id int, text string) string {
	quoted, _ := json.Marshal(text)
	return fmt.Sprintf(`{"cmds":[{"type":"TIMESERIES","cmdId":%d,"entityType":"DEVICE","entityId":%q,"keys":%s}]}`, id, device, quoted)
}

// A peer is a strict client of a server.
type peer struct {
	*wstest.Client
	t testing.TB
}

// listening returns the address of a server that serves over TCP.
func listening(t testing.TB, change func(*Deps)) (w *world, addr string) {
	w = newWorld(t, change)
	h := httptest.NewServer(w.server)
	t.Cleanup(h.Close)
	return w, h.Listener.Addr().String()
}

func connect(t testing.TB, addr string, headers ...string) peer {
	t.Helper()
	c, err := wstest.Dial(addr, "/api/ws?token=good", headers...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Conn.Close() })
	return peer{c, t}
}

func (p peer) send(b ...[]byte) {
	p.t.Helper()
	if err := p.Send(b...); err != nil {
		p.t.Fatal(err)
	}
}

// want reads the next frame, which must be that.
func (p peer) want(op byte, payload string) {
	p.t.Helper()
	gotOp, got, err := p.Next()
	if err != nil || gotOp != op || got != payload {
		p.t.Errorf("got %x %.200q, %v; want %x %.200q", gotOp, got, err, op, payload)
	}
}

// wantEcho reads the answer to an echo. On a machine that is busy for long a ping may come before.
func (p peer) wantEcho(id int, text string) {
	p.t.Helper()
	op, payload, err := p.Next()
	for err == nil && op == wstest.Ping {
		op, payload, err = p.Next()
	}
	var f told
	if err == nil && op == wstest.Text {
		f = parse(p.t, payload)
	}
	if _, ok := f.Data[text]; err != nil || op != wstest.Text || f.ID != int64(id) || !ok {
		p.t.Errorf("got %x %.200q, %v; want the key %.100q", op, payload, err, text)
	}
}

// wantCode reads until the socket is closed, which must be with the code, and to the end.
func (p peer) wantCode(what string, code int) {
	p.t.Helper()
	if got, err := p.Closed(); err != nil || got != code {
		p.t.Errorf("%.100s: closed with %d, %v; want %d", what, got, err, code)
	}
}

// Cases 1, 5 and 9: messages of every length at which a header changes its form, whole, in
// fragments and byte by byte.
func TestConformanceMessages(t *testing.T) {
	_, addr := listening(t, fixed)
	p := connect(t, addr)
	command := echo(1, "key")
	for _, n := range []int{len(command), 125, 126, 127, 128, 1000, 4096, 32767, 32768} {
		if n < len(command) {
			continue
		}
		text := command + strings.Repeat(" ", n-len(command))
		p.send(wstest.Message(text))
		p.wantEcho(1, "key")
		for _, size := range []int{n / 2, 64, 1300} { // case 10: fragments of 1,300
			if n > 4096 && size == 64 {
				continue // the same again, 512 times
			}
			p.send(fragments(text, size)...)
			p.wantEcho(1, "key")
		}
	}
	if err := p.Chop(wstest.Message(command)); err != nil {
		t.Fatal(err)
	}
	p.wantEcho(1, "key")
	const unparsable = `{"subscriptionId":1,"errorCode":2,"errorMsg":"Failed to parse the payload","data":{},"latestValues":{}}`
	for _, empty := range [][]byte{wstest.Message(""), []byte("\x01\x80xxxx\x00\x80xxxx\x80\x80xxxx")} {
		p.send(empty) // 1.1.1, 6.1
		p.want(wstest.Text, unparsable)
	}
	p.send(wstest.Frame{Op: wstest.Binary, Payload: "\xfe\xfe"}.Bytes()) // 1.2
	p.wantCode("binary", 1003)
	p = connect(t, addr)
	p.send(wstest.Message(strings.Repeat(" ", 32769)))
	p.wantCode("a message too long", 1009)
	p = connect(t, addr)
	p.send(fragments(strings.Repeat(" ", 40_000), 1300)...)
	p.wantCode("fragments that are too long together", 1009)
}

// fragments returns text as frames of at most size bytes.
func fragments(text string, size int) (all [][]byte) {
	for op := wstest.Text; ; op = wstest.Continuation {
		n := min(size, len(text))
		all = append(all, wstest.Frame{Op: op, More: n < len(text), Payload: text[:n]}.Bytes())
		if text = text[n:]; text == "" {
			return all
		}
	}
}

// Case 2.
func TestConformancePings(t *testing.T) {
	_, addr := listening(t, fixed)
	p := connect(t, addr)
	for _, payload := range []string{"", "Hello, world!", "\x00\xff\xfe\xfd\xfc\xfb\x00\xff", strings.Repeat("\xfe", 125)} {
		frame := wstest.Frame{Op: wstest.Ping, Payload: payload}.Bytes()
		p.send(frame)
		p.want(wstest.Pong, payload)
		if err := p.Chop(frame); err != nil {
			t.Fatal(err)
		}
		p.want(wstest.Pong, payload)
	}
	for _, payload := range []string{"", "unasked for", strings.Repeat("x", 125)} {
		p.send(wstest.Frame{Op: wstest.Pong, Payload: payload}.Bytes(), wstest.Frame{Op: wstest.Ping, Payload: "x"}.Bytes())
		p.want(wstest.Pong, "x")
	}
	for i := range 10 {
		p.send(wstest.Frame{Op: wstest.Ping, Payload: fmt.Sprint(i)}.Bytes())
	}
	for i := range 10 {
		p.want(wstest.Pong, fmt.Sprint(i))
	}
	p.send(wstest.Message(echo(1, "still there")))
	p.wantEcho(1, "still there")
	p.send(wstest.Frame{Op: wstest.Ping, Payload: strings.Repeat("\xfe", 126)}.Bytes())
	p.wantCode("a ping of 126 bytes", 1002)
}

// Cases 3, 4 and 5: each violation comes alone, behind a message, and byte by byte.
func TestConformanceViolations(t *testing.T) {
	_, addr := listening(t, fixed)
	first := wstest.Message(echo(1, "key"))
	f := func(what string, code int, frames ...wstest.Frame) {
		t.Helper()
		var bytes []byte
		for _, x := range frames {
			bytes = append(bytes, x.Bytes()...)
		}
		p := connect(t, addr)
		p.send(bytes)
		p.wantCode(what, code)
		p = connect(t, addr)
		p.send(append(append([]byte(nil), first...), bytes...))
		p.wantEcho(1, "key")
		p.wantCode(what+" behind a message", code)
		p = connect(t, addr)
		_ = p.Chop(bytes) // the server may not wait for the last of it
		p.wantCode(what+" byte by byte", code)
	}
	for rsv := byte(1); rsv < 8; rsv++ {
		f(fmt.Sprintf("reserved bits %03b of a text", rsv), 1002, wstest.Frame{Op: wstest.Text, RSV: rsv, Payload: "{}"})
		f(fmt.Sprintf("reserved bits %03b of a ping", rsv), 1002, wstest.Frame{Op: wstest.Ping, RSV: rsv})
		f(fmt.Sprintf("reserved bits %03b of a close", rsv), 1002, wstest.Frame{Op: wstest.Close, RSV: rsv})
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		f(fmt.Sprintf("opcode %d", op), 1002, wstest.Frame{Op: op})
		f(fmt.Sprintf("opcode %d with a payload", op), 1002, wstest.Frame{Op: op, Payload: "reserved"})
	}
	const text, more, again, ping = wstest.Text, true, wstest.Continuation, wstest.Ping
	f("a ping in fragments", 1002, wstest.Frame{Op: ping, More: more, Payload: "a"}, wstest.Frame{Op: again, Payload: "b"})
	f("a pong in fragments", 1002, wstest.Frame{Op: wstest.Pong, More: more, Payload: "a"}, wstest.Frame{Op: again, Payload: "b"})
	f("a close in fragments", 1002, wstest.Frame{Op: wstest.Close, More: more}, wstest.Frame{Op: again})
	f("a continuation of nothing", 1002, wstest.Frame{Op: again, Payload: "{}"})
	f("a continuation of nothing, and more", 1002, wstest.Frame{Op: again, More: more, Payload: "{}"})
	f("a message in a message", 1002, wstest.Frame{Op: text, More: more, Payload: "{"}, wstest.Frame{Op: text, Payload: "}"})
	f("a binary one in a message", 1002, wstest.Frame{Op: text, More: more, Payload: "{"}, wstest.Frame{Op: wstest.Binary, Payload: "}"})
	f("a message that begins again", 1002, wstest.Frame{Op: text, More: more}, wstest.Frame{Op: text, More: more})
	f("not masked", 1002, wstest.Frame{Op: text, Unmasked: true, Payload: "{}"})
	f("a ping that is not masked", 1002, wstest.Frame{Op: ping, Unmasked: true})
	f("a length without end", 1002, wstest.Frame{Op: text, Length: 1 << 63})
	f("a length of a gigabyte", 1009, wstest.Frame{Op: text, Length: 1 << 30, Payload: strings.Repeat(" ", 40_000)})
	f("a close of 126 bytes", 1002, wstest.Frame{Op: wstest.Close, Payload: "\x03\xe8" + strings.Repeat("x", 124)})
	// A bomb: what unpacks to a gigabyte comes with a reserved bit, as nobody agreed to it.
	f("compressed", 1002, wstest.Frame{Op: text, RSV: 4, Payload: "\xec\xc0\x31\x01\x00\x00\x00\xc2\x20\xfb\xa7\x36\xc5\x0e"})
}

// Cases 12 and 13: no extension is agreed on, whatever is offered, and nothing comes compressed.
func TestConformanceExtensionsAreDeclined(t *testing.T) {
	w, addr := listening(t, fixed)
	w.write(model.Timeseries, now, "t", strings.Repeat("compressible ", 10_000))
	for _, offer := range []string{
		"permessage-deflate", "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
		"permessage-deflate; client_no_context_takeover; server_no_context_takeover, permessage-bzip2",
		"x-webkit-deflate-frame", "permessage-deflate; server_max_window_bits=99, nonsense; ;;",
	} {
		p := connect(t, addr, "Sec-WebSocket-Extensions: "+offer, "Sec-WebSocket-Protocol: chat, superchat")
		p.send(wstest.Message(fmt.Sprintf(`{"historyCmds":[{"cmdId":7,"entityType":"DEVICE","entityId":%q,"keys":"t","endTs":9999999999999}]}`, device)))
		if op, payload, err := p.Next(); err != nil || op != wstest.Text || len(payload) < 130_000 {
			t.Errorf("%s: got %x of %d bytes, %v", offer, op, len(payload), err)
		}
	}
}

// Case 6.
func TestConformanceUTF8(t *testing.T) {
	_, addr := listening(t, fixed)
	p := connect(t, addr)
	for _, valid := range []string{
		"Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\u0000\u007f", "\u0080\u07ff", "\u0800\ud7ff", "\ue000\ufffd\uffff\ufffe", "\U00010000\U0010ffff",
		"\ufdd0\ufdef", "\U0001fffe\U0008ffff\U0010fffe",
	} {
		valid = strings.ReplaceAll(valid, "\x00", "")
		command := echo(3, valid)
		p.send(wstest.Message(command))
		p.wantEcho(3, valid)
		p.send(fragments(command, 1)...) // through every code point
		p.wantEcho(3, valid)
	}
	for _, invalid := range []string{
		"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64", // 6.3: a surrogate
		"\x80", "\xbf", "\x80\xbf\x80", // continuations
		"\xc0 ", "\xdf ", "\xe0 ", "\xef ", "\xf0 ", "\xf7 ", "\xf8 ", "\xfc ", "\xfd ", // lonely beginnings
		"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xdf", "\xef\xbf", "\xf7\xbf\xbf", // the last byte is missing
		"\xfe", "\xff", "\xfe\xfe\xff\xff",
		"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf", // too long forms
		"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80",
		"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80", // surrogates
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", // behind the last
	} {
		text := `{"a":"` + invalid + `"}`
		p := connect(t, addr)
		p.send(wstest.Message(text))
		p.wantCode(fmt.Sprintf("%x", invalid), 1007)
		p = connect(t, addr)
		p.send(fragments(text, 7)...) // split within it
		p.wantCode(fmt.Sprintf("%x in fragments", invalid), 1007)
	}
}

// Case 7.
func TestConformanceClosing(t *testing.T) {
	_, addr := listening(t, fixed)
	f := func(what string, code int, payload string) {
		t.Helper()
		p := connect(t, addr)
		p.send(wstest.Message(echo(1, "key")), wstest.Frame{Op: wstest.Close, Payload: payload}.Bytes())
		p.wantEcho(1, "key") // what came before is answered
		p.wantCode(what, code)
	}
	f("no code", 1005, "")
	f("half a code", 1002, "\x03")
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		f(fmt.Sprint(code), code, string([]byte{byte(code >> 8), byte(code)}))
	}
	f("a long reason", 1000, "\x03\xe8"+strings.Repeat("*", 123))
	f("a reason in UTF-8", 1000, "\x03\xe8κόσμε")
	f("a reason that is no UTF-8", 1007, "\x03\xe8\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80")
	for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		f(fmt.Sprint(code), 1002, string([]byte{byte(code >> 8), byte(code)}))
	}
	for what, after := range map[string][]byte{ // 7.1: nothing is answered any more
		"a ping": wstest.Frame{Op: wstest.Ping}.Bytes(), "a message": wstest.Message(echo(2, "late")), "a close": wstest.CloseFrame(1001, ""),
	} {
		p := connect(t, addr)
		p.send(append(wstest.CloseFrame(1000, ""), after...))
		for n := 0; ; n++ {
			op, payload, err := p.Next()
			if err != nil {
				if _, bad := errors.AsType[*wstest.Violation](err); bad {
					t.Errorf("%s behind a close: %v", what, err)
				}
				break
			}
			if n > 0 || op != wstest.Close || wstest.Code(payload) != 1000 {
				t.Errorf("%s behind a close was answered with %x %q", what, op, payload)
			}
		}
	}
	// 7.1.6, the other way round: who is closed in the middle of a message is told so.
	p := connect(t, addr)
	p.send(wstest.Frame{Op: wstest.Text, More: true, Payload: "{"}.Bytes(), wstest.CloseFrame(1000, ""))
	p.wantCode("within a message", 1000)
}

// Whatever is asked of the server at once, every frame it sends is whole and in its place:
// histories of every length, updates, pongs and a close, to a reader that is slow.
func TestConformanceOfWhatTheServerSends(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Limits.OutboxBytes = 8 << 10 })
	dial := smallSockets(w)
	sizes := []int{0, 1, 30, 31, 32, 33, 34, 35, 36, 100, 65_400, 65_425, 65_430, 65_435, 65_440, 65_536, 100_000}
	for i, n := range sizes { // around the lengths at which a header changes its form
		w.write(model.Timeseries, int64(i), fmt.Sprintf("h%d", i), strings.Repeat("x", n))
	}
	c := dial()
	p := peer{c.Client, t}
	p.send(wstest.Message(fmt.Sprintf(`{"tsSubCmds":[{"cmdId":99,"entityType":"DEVICE","entityId":%q,"keys":"t"}]}`, device)))
	if _, _, err := p.Next(); err != nil {
		t.Fatal(err)
	}
	const rounds = 40
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range rounds {
			for k := range sizes {
				fmt.Fprintf(p, "%s", wstest.Message(fmt.Sprintf(`{"historyCmds":[{"cmdId":%d,"entityType":"DEVICE","entityId":%q,"keys":"h%d","endTs":99}]}`, k, device, k)))
				fmt.Fprintf(p, "%s", wstest.Frame{Op: wstest.Ping, Payload: fmt.Sprint(i)}.Bytes())
				w.write(model.Timeseries, now+int64(i*len(sizes)+k), "t", strings.Repeat("y", i*k))
			}
		}
	}()
	answers, updates, merged, pongs := 0, 0, 0, 0
	for answers < rounds*len(sizes) || updates+merged < rounds*len(sizes) {
		op, payload, err := p.Next()
		switch {
		case err != nil:
			t.Fatal(err)
		case op == wstest.Pong:
			pongs++
		case op == wstest.Ping:
		case op != wstest.Text:
			t.Fatalf("got %x %.100q", op, payload)
		default:
			if f := parse(t, payload); f.ID == 99 {
				merged += f.Coalesced
				updates += len(f.Data["t"])
			} else {
				if text := f.Data[fmt.Sprintf("h%d", f.ID)][0][1].(string); len(text) != sizes[f.ID] {
					t.Fatalf("history %d has %d bytes", f.ID, len(text))
				}
				answers++
			}
		}
	}
	<-done
	t.Logf("%d answers, %d updates and %d merged, %d pongs", answers, updates, merged, pongs)
	p.send(wstest.CloseFrame(1000, ""))
	p.wantCode("all is said", 1000)
	if _, _, err := p.Next(); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		t.Errorf("behind the end: %v", err)
	}
}

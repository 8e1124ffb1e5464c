package wstest

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestWhatAServerMustNotSendIsFound(t *testing.T) {
	f := func(bytes string, ok bool) {
		t.Helper()
		c := &Client{r: bufio.NewReader(strings.NewReader(bytes))}
		var err error
		for err == nil {
			_, _, err = c.Next()
		}
		if _, bad := errors.AsType[*Violation](err); bad == ok || ok && !errors.Is(err, io.EOF) {
			t.Errorf("%.40q: %v", bytes, err)
		}
	}
	f("\x81\x02{}\x89\x00\x8a\x01x\x88\x02\x03\xe8", true)
	f("\x81\x7e\x00\x7e"+strings.Repeat("x", 126), true)
	f("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"+strings.Repeat("x", 1<<16), true)
	f("\x88\x00", true)
	f("\x81\x82\x00\x00\x00\x00{}", false)                      // masked
	f("\xc1\x02{}", false)                                      // reserved bit
	f("\x83\x00", false)                                        // unknown opcode
	f("\x8b\x00", false)                                        //
	f("\x01\x02{}", false)                                      // a fragment
	f("\x80\x02{}", false)                                      // a continuation
	f("\x81\x7e\x00\x02{}", false)                              // not the shortest length
	f("\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x02{}", false)      //
	f("\x89\x7e\x00\x7e"+strings.Repeat("x", 126), false)       // a long ping
	f("\x81\x01\xff", false)                                    // no UTF-8
	f("\x88\x01x", false)                                       // half a code
	f("\x88\x02\x03\xed", false)                                // 1005
	f("\x88\x02\x00\x00", false)                                //
	f("\x88\x03\x03\xe8\xff", false)                            // a reason that is no UTF-8
	f("\x88\x00\x81\x02{}", false)                              // text behind a close
	f("\x81", false)                                            // half a header
	f("\x81\x03{}", false)                                      // half a payload
	f("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", false)        // a length without end
	f("\x82\x02\x00\xff\x81\x00\x81\x00\x89\x02\x00\xff", true) // binary may hold anything
}

// The bytes are those of the examples in RFC 6455 5.7.
func TestFramesAreThoseOfTheStandard(t *testing.T) {
	f := func(f Frame, want string) {
		t.Helper()
		if got := string(f.Bytes()); got != want {
			t.Errorf("%x, want %x", got, want)
		}
	}
	f(Frame{Op: Text, Payload: "Hello"}, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")
	f(Frame{Op: Text, Payload: "Hello", Unmasked: true}, "\x81\x05Hello")
	f(Frame{Op: Text, Payload: "Hel", Unmasked: true, More: true}, "\x01\x03Hel")
	f(Frame{Op: Continuation, Payload: "lo", Unmasked: true}, "\x80\x02lo")
	f(Frame{Op: Ping, Payload: "Hello", Unmasked: true}, "\x89\x05Hello")
	if Accepted() != "HSmrc0sMlYUkAGmm5OPpG2HaGWk=" { // another of its examples, of 1.2
		t.Errorf("accepted with %s", Accepted())
	}
}

package ws

import (
	"encoding/binary"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/subscriptions"
)

// pingFrame is every ping we send.
const pingFrame = "\x89\x00"

// The control frames that are not all alike (RFC 6455 5.2).
const (
	opClose = 0x8
	opPong  = 0xA
)

// appendHeader adds the header of an unmasked text frame of n bytes (RFC 6455 5.2).
func appendHeader(dst []byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, 0x81, byte(n))
	case n < 1<<16:
		return append(dst, 0x81, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0x81, 127), uint64(n))
}

// cutFrame returns the payload of the first of some frames made with appendHeader, and the rest.
func cutFrame(frames []byte) (payload, rest []byte) {
	n, head := int(frames[1]), 2
	switch n {
	case 126:
		n, head = int(binary.BigEndian.Uint16(frames[2:])), 4
	case 127:
		n, head = int(binary.BigEndian.Uint64(frames[2:])), 10 //nolint:gosec // a length of ours
	}
	return frames[head : head+n], frames[head+n:]
}

// appendText adds a whole text frame.
func appendText(dst, payload []byte) []byte {
	return append(appendHeader(dst, len(payload)), payload...)
}

// appendClose adds a close frame (RFC 6455 5.5.1); reason has less than 124 bytes.
func appendClose(dst []byte, code websocket.StatusCode, reason string) []byte {
	dst = append(dst, 0x80|opClose, byte(2+len(reason)), byte(code>>8), byte(code))
	return append(dst, reason...)
}

// An encoder makes the frames of TIMESERIES and ATTRIBUTES subscriptions. Each is a whole
// WebSocket frame, ready for the socket; only the subscription id tells those of a view apart.
type encoder struct {
	epoch  uint64 // of the positions in the frames; 0 where there are none
	strict bool   // values keep their types
}

// Body implements subscriptions.Encoder.
func (e encoder) Body(dst []byte, u *subscriptions.Update) []byte {
	var w thingsboard.WSData
	w.Begin(dst, e.strict)
	for i := range u.Points {
		p := &u.Points[i]
		if i == 0 || p.Key != u.Points[i-1].Key {
			w.Key(p.Key)
		}
		w.Point(p.TS, p.Value)
	}
	return w.End(&thingsboard.WSNote{Coalesced: u.Coalesced, Position: e.position(u.Place())})
}

// position is how a place stands in a frame; nothing where there is none.
func (e encoder) position(at subscriptions.Place) []byte {
	if e.epoch == 0 || at == (subscriptions.Place{}) {
		return nil
	}
	return (&position{epoch: e.epoch, at: at}).append(nil)
}

// Frame implements subscriptions.Encoder.
func (e encoder) Frame(dst []byte, id int64, body []byte) []byte {
	var scratch [48]byte
	prefix := thingsboard.AppendWSID(scratch[:0], id)
	dst = appendHeader(dst, len(prefix)+len(body))
	dst = append(dst, prefix...)
	return append(dst, body...)
}

package ws

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// A position, as clients are given it, is base64url of: version <1> | epoch <8 LE> | position
// <uvarint> | scope <1>. It is opaque to them: another version may hold something else.
const positionVersion = 1

func appendPosition(dst []byte, epoch uint64, at subscriptions.Place) []byte {
	var b [10 + binary.MaxVarintLen64]byte
	b[0] = positionVersion
	binary.LittleEndian.PutUint64(b[1:], epoch)
	n := 9 + binary.PutUvarint(b[9:], uint64(at.Position))
	b[n] = byte(at.Scope)
	return base64.RawURLEncoding.AppendEncode(dst, b[:n+1])
}

// parsePosition reads what appendPosition wrote.
func parsePosition(text string) (epoch uint64, at subscriptions.Place, err error) {
	bad := model.Invalidf("Position is none of ours: %.64q", text)
	if len(text) > base64.RawURLEncoding.EncodedLen(10+binary.MaxVarintLen64) {
		return 0, at, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < 11 || b[0] != positionVersion {
		return 0, at, bad
	}
	p, n := binary.Uvarint(b[9:])
	if n <= 0 || 9+n+1 != len(b) {
		return 0, at, bad
	}
	at = subscriptions.Place{Position: model.Position(p), Scope: model.Scope(b[9+n])}
	if at.Scope < model.Timeseries || at.Scope > model.State || p == 0 && at.Scope < model.State {
		return 0, subscriptions.Place{}, bad
	}
	return binary.LittleEndian.Uint64(b[1:]), at, nil
}

package ws

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// A position, as clients are given it, is base64url of: version <1> | epoch <8 LE> | plan <8 LE>
// | position <uvarint> | scope <1>. Version 1 is of a subscription and has no plan, version 2 of a
// query. It is opaque to clients: another version may hold something else.
type position struct {
	query bool
	epoch uint64
	// plan says what the query followed: where that is something else, nobody can go on.
	plan uint64
	at   subscriptions.Place
}

const (
	positionVersion = 1
	queryVersion    = 2
	maxPosition     = 1 + 8 + 8 + binary.MaxVarintLen64 + 1
)

func (p *position) append(dst []byte) []byte {
	b := append(make([]byte, 0, maxPosition), positionVersion)
	b = binary.LittleEndian.AppendUint64(b, p.epoch)
	if p.query {
		b[0] = queryVersion
		b = binary.LittleEndian.AppendUint64(b, p.plan)
	}
	b = append(binary.AppendUvarint(b, uint64(p.at.Position)), byte(p.at.Scope))
	return base64.RawURLEncoding.AppendEncode(dst, b)
}

// parsePosition reads what append wrote.
func parsePosition(text string) (p position, err error) {
	bad := model.Invalidf("resume is no position of ours: %.64q", text)
	if len(text) > base64.RawURLEncoding.EncodedLen(maxPosition) {
		return p, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < 11 || b[0] != positionVersion && b[0] != queryVersion {
		return p, bad
	}
	p.query, p.epoch, b = b[0] == queryVersion, binary.LittleEndian.Uint64(b[1:]), b[9:]
	if p.query {
		if len(b) < 10 {
			return position{}, bad
		}
		p.plan, b = binary.LittleEndian.Uint64(b), b[8:]
	}
	at, n := binary.Uvarint(b)
	if n <= 0 || n+1 != len(b) {
		return position{}, bad
	}
	p.at = subscriptions.Place{Position: model.Position(at), Scope: model.Scope(b[n])}
	if s := p.at.Scope; s < model.Timeseries || s > model.State || at == 0 && s < model.State {
		return position{}, bad
	}
	return p, nil
}

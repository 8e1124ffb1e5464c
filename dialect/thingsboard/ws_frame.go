package thingsboard

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/tidewire/tidewire/model"
)

// The error codes of WebSocket frames (contract 11.4).
const (
	WSInternal     = 1
	WSBadRequest   = 2
	WSUnauthorized = 3
	WSTooMany      = 34 // updates: some are kept back
)

// A WSData writes the part of a TIMESERIES or ATTRIBUTES frame behind the subscription id
// (contract 11.5). Keys are added in order; the points of a key follow it. The zero WSData
// is ready to use, and again after Begin.
type WSData struct {
	dst    []byte
	latest []byte // ,"key":ts…
	key    int    // where the quoted key of the points at hand begins in dst, and ends
	end    int
	n      int   // points of that key
	ts     int64 // of the last of them
	strict bool
}

// AppendWSID adds how every frame begins.
func AppendWSID(dst []byte, id int64) []byte {
	dst = append(dst, wsID...)
	return strconv.AppendInt(dst, id, 10)
}

// Begin starts to add a frame's body to dst. Strict values keep their types.
func (w *WSData) Begin(dst []byte, strict bool) {
	*w = WSData{dst: append(dst, `,"errorCode":0,"errorMsg":null,"data":{`...), latest: w.latest[:0], key: -1, strict: strict}
}

// Key starts the points of the next key.
func (w *WSData) Key(key string) {
	w.endKey()
	if w.key >= 0 {
		w.dst = append(w.dst, ',')
	}
	w.key = len(w.dst)
	w.dst = AppendString(w.dst, key)
	w.end = len(w.dst)
	w.dst = append(w.dst, ':', '[')
	w.n = 0
}

// Point adds a point of the key: [ts,"text"], where null is null and no value at all is "", or
// [ts,value], where both are null.
func (w *WSData) Point(ts int64, v model.Value) {
	if w.n > 0 {
		w.dst = append(w.dst, ',')
	}
	w.n++
	w.ts = ts
	w.dst = append(w.dst, '[')
	w.dst = strconv.AppendInt(w.dst, ts, 10)
	w.dst = append(w.dst, ',')
	if v.IsNone() && !w.strict {
		w.dst = append(w.dst, '"', '"')
	} else {
		w.dst = appendValue(w.dst, v, w.strict)
	}
	w.dst = append(w.dst, ']')
}

// endKey closes the key at hand and remembers its last timestamp for latestValues.
func (w *WSData) endKey() {
	if w.key < 0 {
		return
	}
	w.dst = append(w.dst, ']')
	if len(w.latest) > 0 {
		w.latest = append(w.latest, ',')
	}
	w.latest = append(w.latest, w.dst[w.key:w.end]...)
	w.latest = append(w.latest, ':')
	w.latest = strconv.AppendInt(w.latest, w.ts, 10)
}

// A WSNote is what we add to frames, in members that clients of the protocol do not know and
// pass over. The zero WSNote adds nothing.
type WSNote struct {
	// Coalesced is how many points were left out because newer ones in this frame superseded
	// them.
	Coalesced int
	// Resumed says that the client has been told all it missed, which was Missed updates.
	Resumed bool
	Missed  int
	// Resync is why what it missed cannot be told: this is a first frame again.
	Resync string
	// Position is where the client can go on; see the command's Resume. It is the last member.
	Position []byte
}

// append adds the members, and the end of the frame.
func (n *WSNote) append(dst []byte) []byte {
	if n.Coalesced > 0 {
		dst = strconv.AppendInt(append(dst, `,"coalesced":`...), int64(n.Coalesced), 10)
	}
	if n.Resumed {
		dst = strconv.AppendInt(append(dst, `,"resumed":`...), int64(n.Missed), 10)
	}
	if n.Resync != "" {
		dst = AppendString(append(dst, `,"resync":`...), n.Resync)
	}
	if len(n.Position) > 0 {
		dst = append(append(append(dst, wsPosition...), n.Position...), '"')
	}
	return append(dst, '}')
}

const (
	wsID        = `{"subscriptionId":`
	wsCommandID = `{"cmdId":`
	wsPosition  = `,"position":"`
)

// WSPlace returns of which subscription a frame made here is, or of which ENTITY_DATA query, and
// the position it carries; nothing where it carries none. ok is false for errors and frames of
// other commands.
func WSPlace(frame []byte) (id int64, query bool, position []byte, ok bool) {
	rest, ok := bytes.CutPrefix(frame, []byte(wsID))
	if !ok {
		rest, query = bytes.CutPrefix(frame, []byte(wsCommandID))
	}
	end := bytes.IndexByte(rest, ',')
	if !ok && !query || end < 0 {
		return 0, false, nil, false
	}
	behind := `,"errorCode":0,`
	if query {
		behind = wsEntityData
	}
	if !bytes.HasPrefix(rest[end:], []byte(behind)) {
		return 0, false, nil, false
	}
	id, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	if at := bytes.LastIndex(rest, []byte(wsPosition)); at >= 0 {
		// The member is the last one of the frame; a JSON value may hold one of that name, too.
		text, whole := bytes.CutSuffix(rest[at+len(wsPosition):], []byte(`"}`))
		if whole && bytes.IndexByte(text, '"') < 0 {
			position = text
		}
	}
	return id, query, position, err == nil
}

// End returns dst with the complete body.
func (w *WSData) End(n *WSNote) []byte {
	w.endKey()
	w.dst = append(w.dst, `},"latestValues":{`...)
	w.dst = append(w.dst, w.latest...)
	dst := n.append(append(w.dst, '}'))
	w.dst = nil
	return dst
}

// wsFailed is how the error frames of the types answered by cmdId end: as their answers, with
// nothing in them.
var wsFailed = map[string]string{
	WSEntityData:         `,"allowedEntities":10000,"cmdUpdateType":"ENTITY_DATA","data":null,"update":null}`,
	WSAlarmData:          `,"allowedEntities":10000,"totalEntities":0,"cmdUpdateType":"ALARM_DATA","data":null,"update":null}`,
	WSEntityCount:        `,"count":0,"cmdUpdateType":"COUNT_DATA"}`,
	WSAlarmCount:         `,"count":0,"cmdUpdateType":"ALARM_COUNT_DATA"}`,
	WSAlarmStatus:        `,"active":false,"cmdUpdateType":"ALARM_STATUS"}`,
	WSNotifications:      `,"cmdUpdateType":"NOTIFICATIONS","totalUnreadCount":0,"sequenceNumber":0,"notifications":null,"update":null}`,
	WSNotificationsCount: `,"cmdUpdateType":"NOTIFICATIONS_COUNT","totalUnreadCount":0,"sequenceNumber":0}`,
}

// AppendWSError adds a frame that says what went wrong with a command (contract 11.4). It has the
// form of the command's answer; those of the types answered by cmdId carry both names of the id.
// What could not be parsed is no command of any type.
func AppendWSError(dst []byte, c *WSCommand, code int, message string) []byte {
	dst = AppendWSID(dst, c.ID)
	end := wsFailed[c.Type]
	if end == "" || errors.Is(c.Err, errWSParse) {
		end = `,"data":{},"latestValues":{}}`
	} else {
		dst = strconv.AppendInt(append(dst, `,"cmdId":`...), c.ID, 10)
	}
	dst = strconv.AppendInt(append(dst, `,"errorCode":`...), int64(code), 10)
	dst = AppendString(append(dst, `,"errorMsg":`...), message)
	return append(dst, end...)
}

// AppendWSParseError adds the frame that answers a message that cannot be parsed.
func AppendWSParseError(dst []byte) []byte {
	return AppendWSError(dst, &WSCommand{ID: 1}, WSBadRequest, errWSParse.Message)
}

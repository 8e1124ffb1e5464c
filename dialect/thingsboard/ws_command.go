package thingsboard

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// The types of WebSocket commands (contract 11.3).
const (
	WSAttributes         = "ATTRIBUTES"
	WSTimeseries         = "TIMESERIES"
	WSHistory            = "TIMESERIES_HISTORY"
	WSEntityData         = "ENTITY_DATA"
	WSEntityCount        = "ENTITY_COUNT"
	WSAlarmData          = "ALARM_DATA"
	WSAlarmCount         = "ALARM_COUNT"
	WSAlarmStatus        = "ALARM_STATUS"
	WSNotifications      = "NOTIFICATIONS"
	WSNotificationsCount = "NOTIFICATIONS_COUNT"
)

// What a command that is answered by cmdId does.
const (
	wsAsks   = iota + 1
	wsEnds   // what another one began, without a word
	wsSilent // changes notifications, of which there are none, without a word
)

// wsEntity lists the types answered by cmdId.
var wsEntity = map[string]int{
	WSEntityData: wsAsks, WSEntityCount: wsAsks, WSAlarmData: wsAsks, WSAlarmCount: wsAsks, WSAlarmStatus: wsAsks,
	WSNotifications: wsAsks, WSNotificationsCount: wsAsks,
	"MARK_NOTIFICATIONS_AS_READ": wsSilent, "MARK_ALL_NOTIFICATIONS_AS_READ": wsSilent,
	"ENTITY_DATA_UNSUBSCRIBE": wsEnds, "ENTITY_COUNT_UNSUBSCRIBE": wsEnds, "ALARM_DATA_UNSUBSCRIBE": wsEnds,
	"ALARM_COUNT_UNSUBSCRIBE": wsEnds, "ALARM_STATUS_UNSUBSCRIBE": wsEnds, "NOTIFICATIONS_UNSUBSCRIBE": wsEnds,
}

// A WSMessage is one text message of a client: an optional login and commands in the order
// in which they are to be carried out.
type WSMessage struct {
	// HasAuth says whether the message has an authCmd, and Token what it presents.
	HasAuth  bool
	Token    string
	Commands []WSCommand
}

// A WSCommand is one command of either envelope.
type WSCommand struct {
	Type string
	ID   int64
	// Err, an *model.Error of kind Invalid, is why the command cannot be carried out.
	Err error
	// End says that the command ends what the one of its id and of type Type began.
	End bool
	// Query is the query of a command about entities, for [ParseFind] or [ParseFindCount]; nil
	// where it has none.
	Query []byte
	wire  *wireParts // of ENTITY_DATA; see Parts

	EntityType  model.EntityType
	EntityID    string
	Keys        []string // sorted and distinct; nil where none were named
	Scope       string
	StartTS     int64 // ms
	EndTS       int64 // ms
	TimeWindow  int64 // ms
	Interval    int64 // ms
	Limit       int64
	Agg         string
	Unsubscribe bool

	// Strict asks for values of their own types in place of texts (ours; contract 18).
	Strict bool
	// Positions asks that frames say where they are, and Resume for what came after such a
	// place in place of a first frame. Both are ours.
	Positions bool
	Resume    string
}

// errWSParse is the answer to everything that is no message of contract 11.3.
var errWSParse = model.Invalidf("Failed to parse the payload")

// ParseWS reads a text message. A command that cannot be carried out has Err set and does
// not touch the others; the error returned is that of a message that is no JSON object or
// has unknown lists of commands, which nobody could answer. Other unknown members are ignored,
// here and in commands (contract 18).
func ParseWS(b []byte) (*WSMessage, error) {
	var e struct {
		AuthCmd    *wireAuth         `json:"authCmd"`
		Cmds       []json.RawMessage `json:"cmds"`
		Attributes []json.RawMessage `json:"attrSubCmds"`
		Timeseries []json.RawMessage `json:"tsSubCmds"`
		History    []json.RawMessage `json:"historyCmds"`

		EntityData             []json.RawMessage `json:"entityDataCmds"`
		EntityDataUnsubscribe  []json.RawMessage `json:"entityDataUnsubscribeCmds"`
		AlarmData              []json.RawMessage `json:"alarmDataCmds"`
		AlarmDataUnsubscribe   []json.RawMessage `json:"alarmDataUnsubscribeCmds"`
		EntityCount            []json.RawMessage `json:"entityCountCmds"`
		EntityCountUnsubscribe []json.RawMessage `json:"entityCountUnsubscribeCmds"`
		AlarmCount             []json.RawMessage `json:"alarmCountCmds"`
		AlarmCountUnsubscribe  []json.RawMessage `json:"alarmCountUnsubscribeCmds"`
	}
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' {
		return nil, errWSParse
	}
	b, unknown := knownMembers(b, wsLists)
	if b == nil || slices.ContainsFunc(unknown, isWSList) || json.Unmarshal(b, &e) != nil {
		return nil, errWSParse
	}
	m := &WSMessage{}
	if e.AuthCmd != nil {
		m.HasAuth, m.Token = true, e.AuthCmd.text()
	}
	for _, raw := range e.Cmds {
		c := parseWSTyped(raw)
		if c.Type == "AUTH" {
			var auth wireAuth
			if json.Unmarshal(raw, &auth) == nil && !m.HasAuth {
				m.HasAuth, m.Token = true, auth.text()
			}
			continue
		}
		m.Commands = append(m.Commands, c)
	}
	for _, list := range [...]struct {
		kind string
		cmds []json.RawMessage
	}{
		{WSAttributes, e.Attributes}, {WSTimeseries, e.Timeseries}, {WSHistory, e.History},
		{WSEntityData, e.EntityData}, {"ENTITY_DATA_UNSUBSCRIBE", e.EntityDataUnsubscribe},
		{WSAlarmData, e.AlarmData}, {"ALARM_DATA_UNSUBSCRIBE", e.AlarmDataUnsubscribe},
		{WSEntityCount, e.EntityCount}, {"ENTITY_COUNT_UNSUBSCRIBE", e.EntityCountUnsubscribe},
		{WSAlarmCount, e.AlarmCount}, {"ALARM_COUNT_UNSUBSCRIBE", e.AlarmCountUnsubscribe},
	} {
		for _, raw := range list.cmds {
			m.Commands = append(m.Commands, parseWSCommand(list.kind, raw))
		}
	}
	return m, nil
}

// A wireAuth is a login. Clients of later releases may show an API token as apiKey.
type wireAuth struct {
	Token  string `json:"token"`
	APIKey string `json:"apiKey"`
}

func (a *wireAuth) text() string { return cmp.Or(a.Token, a.APIKey) }

// wsLists names the members of the envelopes.
var wsLists = []string{"authCmd", "cmds", "attrSubCmds", "tsSubCmds", "historyCmds",
	"entityDataCmds", "entityDataUnsubscribeCmds", "alarmDataCmds", "alarmDataUnsubscribeCmds",
	"entityCountCmds", "entityCountUnsubscribeCmds", "alarmCountCmds", "alarmCountUnsubscribeCmds"}

// wsMembers names the members of the commands.
var wsMembers = map[string][]string{
	WSAttributes: {"type", "cmdId", "entityType", "entityId", "keys", "scope", "unsubscribe",
		"useStrictDataTypes", "positions", "resume"},
	WSTimeseries: {"type", "cmdId", "entityType", "entityId", "keys", "scope", "startTs", "timeWindow", "interval",
		"limit", "agg", "unsubscribe", "useStrictDataTypes", "positions", "resume"},
	WSHistory: {"type", "cmdId", "entityType", "entityId", "keys", "scope", "startTs", "endTs", "interval", "limit",
		"agg", "unsubscribe", "useStrictDataTypes"},
	WSEntityData: {"type", "cmdId", "query", "latestCmd", "tsCmd", "historyCmd", "aggHistoryCmd", "aggTsCmd",
		"positions", "resume"},
	WSEntityCount:        {"type", "cmdId", "query"},
	WSAlarmData:          {"type", "cmdId", "query"},
	WSAlarmCount:         {"type", "cmdId", "query"},
	WSAlarmStatus:        {"type", "cmdId", "originatorId", "typeList", "severityList"},
	WSNotifications:      {"type", "cmdId", "limit", "types"},
	WSNotificationsCount: {"type", "cmdId"},

	"MARK_NOTIFICATIONS_AS_READ": {"type", "cmdId", "notifications"}, "MARK_ALL_NOTIFICATIONS_AS_READ": {"type", "cmdId"},
	"ENTITY_DATA_UNSUBSCRIBE": {"type", "cmdId"}, "ENTITY_COUNT_UNSUBSCRIBE": {"type", "cmdId"},
	"ALARM_DATA_UNSUBSCRIBE": {"type", "cmdId"}, "ALARM_COUNT_UNSUBSCRIBE": {"type", "cmdId"},
	"ALARM_STATUS_UNSUBSCRIBE": {"type", "cmdId"}, "NOTIFICATIONS_UNSUBSCRIBE": {"type", "cmdId"},
}

// isWSList reports whether a member of an envelope is a list of commands.
func isWSList(name string) bool { return strings.HasSuffix(name, "Cmds") }

// knownMembers returns an object with the members of those names only, and the names of the
// others; nil when it is none.
func knownMembers(object []byte, names []string) (known []byte, unknown []string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil || members == nil {
		return nil, nil
	}
	for name := range members {
		if !slices.Contains(names, name) {
			unknown = append(unknown, name)
			delete(members, name)
		}
	}
	if unknown == nil {
		return object, nil
	}
	object, _ = json.Marshal(members) // of what was read
	return object, unknown
}

func parseWSTyped(raw json.RawMessage) WSCommand {
	var head struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(raw, &head) != nil {
		return WSCommand{ID: 1, Err: errWSParse}
	}
	return parseWSCommand(head.Type, raw)
}

// parseWSCommand reads one command. What cannot be parsed is answered as subscription 1,
// because that is the id clients of this protocol expect there.
func parseWSCommand(kind string, raw json.RawMessage) WSCommand {
	if kind == "AUTH" {
		return WSCommand{Type: kind}
	}
	if wsEntity[kind] != 0 {
		return parseWSEntity(kind, raw)
	}
	var c struct {
		ID          wsInt  `json:"cmdId"`
		EntityType  string `json:"entityType"`
		EntityID    string `json:"entityId"`
		Keys        string `json:"keys"`
		Scope       string `json:"scope"`
		StartTS     wsInt  `json:"startTs"`
		EndTS       wsInt  `json:"endTs"`
		TimeWindow  wsInt  `json:"timeWindow"`
		Interval    wsInt  `json:"interval"`
		Limit       wsInt  `json:"limit"`
		Agg         string `json:"agg"`
		Unsubscribe bool   `json:"unsubscribe"`
		Strict      bool   `json:"useStrictDataTypes"`
		Positions   bool   `json:"positions"`
		Resume      string `json:"resume"`
	}
	if wsMembers[kind] != nil {
		raw, _ = knownMembers(raw, wsMembers[kind])
	}
	if wsMembers[kind] == nil || raw == nil || json.Unmarshal(raw, &c) != nil {
		return WSCommand{Type: kind, ID: 1, Err: errWSParse}
	}
	w := WSCommand{
		Type: kind, ID: int64(c.ID), EntityType: model.EntityType(c.EntityType), EntityID: c.EntityID,
		Keys: splitWSKeys(c.Keys), Scope: c.Scope, StartTS: int64(c.StartTS), EndTS: int64(c.EndTS),
		TimeWindow: int64(c.TimeWindow), Interval: int64(c.Interval), Limit: int64(c.Limit), Agg: c.Agg,
		Unsubscribe: c.Unsubscribe, Strict: c.Strict, Positions: c.Positions || c.Resume != "", Resume: c.Resume,
	}
	w.Err = w.check()
	return w
}

// check applies the rules that need nothing but the command (contract 11.3, 11.5 to 11.7).
func (c *WSCommand) check() error {
	switch {
	case c.ID < 0:
		return model.Invalidf("Cmd id is negative value!")
	case c.Unsubscribe && c.Type != WSHistory:
		return nil
	case c.EntityID == "":
		return model.Invalidf("Device id is empty!")
	case c.EntityType == "":
		return model.Invalidf("Entity type is empty!")
	case c.Type == WSHistory && len(c.Keys) == 0:
		return model.Invalidf("Keys are empty!")
	case c.TimeWindow < 0:
		return model.Invalidf("Time window is negative value!")
	case c.Limit < 0:
		return model.Invalidf("Limit is negative value!")
	}
	if c.Type == WSAttributes {
		if _, ok := c.AttributeScopes(); !ok {
			return model.Invalidf("Invalid scope: %.64s", c.Scope)
		}
	}
	return nil
}

// Ref returns the entity the command is about.
func (c *WSCommand) Ref() (model.EntityRef, error) {
	id, err := model.ParseID(c.EntityID)
	return model.EntityRef{Type: c.EntityType, ID: model.EntityID(id)}, err
}

// AttributeScopes returns the scopes an ATTRIBUTES command listens to: all three when it
// names none.
func (c *WSCommand) AttributeScopes() ([]model.Scope, bool) {
	switch c.Scope {
	case "", "ANY_SCOPE":
		return model.AttributeScopes[:], true
	case "CLIENT_SCOPE":
		return []model.Scope{model.Client}, true
	case "SERVER_SCOPE":
		return []model.Scope{model.Server}, true
	case "SHARED_SCOPE":
		return []model.Scope{model.Shared}, true
	}
	return nil, false
}

// NewestOnly reports whether a TIMESERIES command leaves out late points.
func (c *WSCommand) NewestOnly() bool { return c.Scope == "LATEST_TELEMETRY" }

func splitWSKeys(list string) []string {
	var keys []string
	for key := range strings.SplitSeq(list, ",") {
		if key != "" {
			keys = append(keys, strings.Clone(key))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// A wsInt is an integer as clients send it: a number with or without an integral fraction or
// exponent, a string of one, or null.
type wsInt int64

// UnmarshalJSON implements json.Unmarshaler.
func (i *wsInt) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "null" || s == "" {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(s, 64)
		if n = int64(f); ferr != nil || float64(n) != f || f >= 1<<63 {
			return err
		}
	}
	*i = wsInt(n)
	return nil
}

package thingsboard

import (
	"encoding/json"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// A wireAlarmRange is what queries about alarms say beside the entities (contract 13.4).
type wireAlarmRange struct {
	Size       *int     `json:"pageSize"`
	Page       int      `json:"page"`
	StartTS    int64    `json:"startTs"`
	EndTS      int64    `json:"endTs"`
	TimeWindow int64    `json:"timeWindow"`
	Types      []string `json:"typeList"`
	Statuses   []string `json:"statusList"`
	Severities []string `json:"severityList"`
}

var (
	alarmStatuses   = []string{"ANY", "ACTIVE", "CLEARED", "ACK", "UNACK", "ACTIVE_UNACK", "ACTIVE_ACK", "CLEARED_UNACK", "CLEARED_ACK"}
	alarmSeverities = []string{"CRITICAL", "MAJOR", "MINOR", "WARNING", "INDETERMINATE"}
)

func (r *wireAlarmRange) check(at string) error {
	if r.StartTS < 0 || r.EndTS < 0 || r.TimeWindow < 0 {
		return model.Invalidf("%sstartTs, endTs and timeWindow must not be negative", at)
	}
	for _, s := range r.Statuses {
		if !slices.Contains(alarmStatuses, s) {
			return model.Invalidf("%sstatusList holds %.32q, which is no status of alarms", at, s)
		}
	}
	for _, s := range r.Severities {
		if !slices.Contains(alarmSeverities, s) {
			return model.Invalidf("%sseverityList holds %.32q, which is no severity of alarms", at, s)
		}
	}
	return nil
}

// CheckFindAlarms reads an AlarmDataQuery for whoever asks. Errors are Invalid and name the
// member.
func CheckFindAlarms(body []byte, who model.Principal) error {
	var w struct {
		PageLink *struct {
			wireAlarmRange
			Sort *wireSort `json:"sortOrder"`
		} `json:"pageLink"`
		Fields      []wireKey `json:"entityFields"`
		Latest      []wireKey `json:"latestValues"`
		AlarmFields []wireKey `json:"alarmFields"`
	}
	if _, err := ParseFindCount(body, who); err != nil {
		return err
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return &model.Error{Kind: model.Invalid, Message: "Failed to parse the query: " + jsonTrouble(err), Err: err}
	}
	switch p := w.PageLink; {
	case p == nil:
		return model.Invalidf("pageLink is missing")
	case p.Size == nil || *p.Size < 1 || *p.Size > MaxPageSize:
		return model.Invalidf("pageLink.pageSize must be from 1 to %d", MaxPageSize)
	case p.Page < 0:
		return model.Invalidf("pageLink.page must not be negative")
	default:
		if err := p.check("pageLink."); err != nil {
			return err
		}
		if _, _, err := p.Sort.parse(); err != nil {
			return err
		}
	}
	for _, list := range [...]struct {
		name string
		keys []wireKey
		only model.KeyKind // zero means any
	}{{"entityFields", w.Fields, model.EntityField}, {"latestValues", w.Latest, 0}, {"alarmFields", w.AlarmFields, model.AlarmField}} {
		keys, err := parseKeys(list.keys, list.name)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if list.only != 0 && k.Kind != list.only {
				return model.Invalidf("%s may hold keys of type %s only", list.name, KeyKindName(list.only))
			}
		}
	}
	return nil
}

// CheckCountAlarms reads an AlarmCountQuery for whoever asks. Without an entity filter it is
// about all that the asker may see.
func CheckCountAlarms(body []byte, who model.Principal) error {
	var w struct {
		wireAlarmRange
		Filter json.RawMessage `json:"entityFilter"`
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return &model.Error{Kind: model.Invalid, Message: "Failed to parse the query: " + jsonTrouble(err), Err: err}
	}
	if len(w.Filter) > 0 && string(w.Filter) != "null" {
		if _, err := ParseFindCount(body, who); err != nil {
			return err
		}
	}
	return w.check("")
}

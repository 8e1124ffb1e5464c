package thingsboard

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// MaxPageSize bounds a page of an entity data query; stock maps ask for 16,384.
const MaxPageSize = 65_536

// wireFind is an EntityDataQuery or an EntityCountQuery (contract 10). Members it does not
// know are ignored.
type wireFind struct {
	Filter   *wireFilter `json:"entityFilter"`
	PageLink *struct {
		Size    *int      `json:"pageSize"`
		Page    int       `json:"page"`
		Search  string    `json:"textSearch"`
		Dynamic bool      `json:"dynamic"`
		Sort    *wireSort `json:"sortOrder"`
	} `json:"pageLink"`
	Fields     []wireKey       `json:"entityFields"`
	Latest     []wireKey       `json:"latestValues"`
	Conditions []wireCondition `json:"keyFilters"`
	Operation  string          `json:"keyFiltersOperation"`
}

type wireSort struct {
	Key       *wireKey `json:"key"`
	Direction string   `json:"direction"`
}

// parse returns the key, empty where none is named, and the direction.
func (s *wireSort) parse() (key model.EntityKey, descending bool, err error) {
	if s == nil || s.Key == nil || s.Key.Key == "" {
		return key, true, nil
	}
	if key, err = s.Key.parse("pageLink.sortOrder.key"); err != nil {
		return key, false, err
	}
	switch s.Direction {
	case "", "ASC", "DESC":
		return key, s.Direction == "DESC", nil
	}
	return key, false, model.Invalidf("pageLink.sortOrder.direction must be ASC or DESC, is %.32q", s.Direction)
}

type wireKey struct {
	Type string `json:"type"`
	Key  string `json:"key"`
}

// ParseFind reads an EntityDataQuery for whoever asks, whom the aliases of the filter stand
// for. Errors are Invalid and name the member.
func ParseFind(body []byte, who model.Principal) (*model.FindQuery, error) {
	q, w, err := parseFind(body, who)
	if err != nil {
		return nil, err
	}
	if w.PageLink == nil {
		return nil, model.Invalidf("pageLink is missing")
	}
	p := w.PageLink
	if p.Size == nil || *p.Size < 1 || *p.Size > MaxPageSize {
		return nil, model.Invalidf("pageLink.pageSize must be from 1 to %d", MaxPageSize)
	}
	if p.Page < 0 {
		return nil, model.Invalidf("pageLink.page must not be negative")
	}
	q.Size, q.Page, q.Search, q.Dynamic = *p.Size, p.Page, p.Search, p.Dynamic
	if q.Sort, q.Descending, err = p.Sort.parse(); err != nil {
		return nil, err
	}
	if q.Fields, err = parseKeys(w.Fields, "entityFields"); err != nil {
		return nil, err
	}
	for _, k := range q.Fields {
		if k.Kind != model.EntityField {
			return nil, model.Invalidf("entityFields may hold keys of type ENTITY_FIELD only")
		}
	}
	q.Latest, err = parseKeys(w.Latest, "latestValues")
	return q, err
}

// ParseFindCount reads an EntityCountQuery.
func ParseFindCount(body []byte, who model.Principal) (*model.FindQuery, error) {
	q, _, err := parseFind(body, who)
	return q, err
}

func parseFind(body []byte, who model.Principal) (*model.FindQuery, *wireFind, error) {
	var w wireFind
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, nil, &model.Error{Kind: model.Invalid, Message: "Failed to parse the query: " + jsonTrouble(err), Err: err}
	}
	q, err := w.query(who)
	return q, &w, err
}

// query reads the filter and the conditions.
func (w *wireFind) query(who model.Principal) (*model.FindQuery, error) {
	if w.Filter == nil {
		return nil, model.Invalidf("entityFilter is missing")
	}
	var q model.FindQuery
	var err error
	if q.Filter, err = w.Filter.parse(who); err != nil {
		return nil, err
	}
	switch w.Operation {
	case "", "AND":
	case "OR":
		q.AnyCondition = true
	default:
		return nil, model.Invalidf("keyFiltersOperation must be AND or OR, is %.32q", w.Operation)
	}
	for i := range w.Conditions {
		c, ok, err := w.Conditions[i].parse(i)
		if err != nil {
			return nil, err
		}
		if ok {
			q.Conditions = append(q.Conditions, c)
		}
	}
	return &q, nil
}

// jsonTrouble says what is wrong with a body without naming our types.
func jsonTrouble(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field != "" {
			return e.Field + " must not be " + e.Value
		}
		return "a value must not be " + e.Value
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return e.Error()
	}
	return "no JSON object"
}

var keyKinds = map[string]model.KeyKind{
	"ENTITY_FIELD": model.EntityField, "TIME_SERIES": model.SeriesKey, "ATTRIBUTE": model.AttributeKey,
	"CLIENT_ATTRIBUTE": model.ClientKey, "SHARED_ATTRIBUTE": model.SharedKey, "SERVER_ATTRIBUTE": model.ServerKey,
	"ALARM_FIELD": model.AlarmField,
}

// KeyKindName returns the wire name of a kind of key (contract 10.2).
func KeyKindName(k model.KeyKind) string {
	for name, kind := range keyKinds {
		if kind == k {
			return name
		}
	}
	return ""
}

func (k wireKey) parse(at string) (model.EntityKey, error) {
	kind, ok := keyKinds[k.Type]
	if !ok {
		return model.EntityKey{}, model.Invalidf("%s.type %.32q is unknown", at, k.Type)
	}
	if k.Key == "" {
		return model.EntityKey{}, model.Invalidf("%s.key is empty", at)
	}
	return model.EntityKey{Kind: kind, Key: k.Key}, nil
}

// maxFindKeys bounds the keys of a query.
const maxFindKeys = 1024

func parseKeys(list []wireKey, at string) (keys []model.EntityKey, err error) {
	if len(list) > maxFindKeys {
		return nil, model.Invalidf("%d %s exceed the limit of %d", len(list), at, maxFindKeys)
	}
	for _, w := range list {
		k, err := w.parse(at)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// entityTypes are the types there are in ThingsBoard (contract 1.3). Of most this server has no
// entities, so that a query for them finds none.
var entityTypes = map[string]bool{
	"TENANT": true, "CUSTOMER": true, "USER": true, "DASHBOARD": true, "ASSET": true, "DEVICE": true, "ALARM": true,
	"RULE_CHAIN": true, "RULE_NODE": true, "ENTITY_VIEW": true, "WIDGETS_BUNDLE": true, "WIDGET_TYPE": true, "TENANT_PROFILE": true,
	"DEVICE_PROFILE": true, "ASSET_PROFILE": true, "API_USAGE_STATE": true, "TB_RESOURCE": true, "OTA_PACKAGE": true, "EDGE": true,
	"RPC": true, "QUEUE": true, "QUEUE_STATS": true, "NOTIFICATION": true, "NOTIFICATION_TARGET": true, "NOTIFICATION_TEMPLATE": true,
	"NOTIFICATION_REQUEST": true, "NOTIFICATION_RULE": true, "OAUTH2_CLIENT": true, "DOMAIN": true, "MOBILE_APP": true,
	"MOBILE_APP_BUNDLE": true, "CALCULATED_FIELD": true, "CALCULATED_FIELD_LINK": true, "JOB": true, "AI_MODEL": true, "API_KEY": true,
}

// entityTypeOf reads the type of an entity as queries name it; at is the member.
func entityTypeOf(name, at string) (model.EntityType, error) {
	t := strings.ToUpper(name)
	if !entityTypes[t] {
		return "", model.Invalidf("%s %.32q is unknown", at, name)
	}
	return model.EntityType(t), nil
}

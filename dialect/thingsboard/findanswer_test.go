package thingsboard

import (
	"testing"

	"github.com/tidewire/tidewire/model"
)

func TestAPageOfEntitiesIsShown(t *testing.T) {
	q := &model.FindQuery{
		Size: 1, Fields: []model.EntityKey{{Kind: model.EntityField, Key: "name"}, {Kind: model.EntityField, Key: "label"}},
		Latest: []model.EntityKey{
			{Kind: model.SeriesKey, Key: "t"}, {Kind: model.AttributeKey, Key: "a"}, {Kind: model.SeriesKey, Key: "gone"},
		},
	}
	ref := someRef(t, model.EntityDevice)
	p := model.Page[model.EntityData]{Total: 2, Data: []model.EntityData{{
		Entity: &model.Entity{Type: ref.Type, ID: ref.ID},
		Fields: []model.Value{model.String(`Pump "7"`), {}},
		Latest: []model.Point{{TS: 5, Value: model.Float(42)}, {TS: 6, Value: model.Bool(true)}, {}},
	}}}
	want := `{"data":[{"entityId":{"entityType":"DEVICE","id":"784f394c-42b6-435a-983c-b7beff2784f9"},"latest":{` +
		`"ENTITY_FIELD":{"name":{"ts":9,"value":"Pump \"7\""},"label":{"ts":9,"value":""}},` +
		`"TIME_SERIES":{"t":{"ts":5,"value":"42.0"},"gone":{"ts":0,"value":""}},` +
		`"ATTRIBUTE":{"a":{"ts":6,"value":"true"}}},"timeseries":{},"aggLatest":{}}],` +
		`"totalPages":2,"totalElements":2,"hasNext":true}`
	if got := string(AppendFound(nil, q, p, 9)); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	empty := `{"data":[],"totalPages":0,"totalElements":0,"hasNext":false}`
	if got := string(AppendFound(nil, q, model.Page[model.EntityData]{}, 9)); got != empty {
		t.Errorf("%s\nwant %s", got, empty)
	}
}

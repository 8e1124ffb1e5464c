package thingsboard

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

func TestBothEnvelopesGiveTheSameCommands(t *testing.T) {
	typed := `{"authCmd":{"cmdId":0,"token":"jwt","type":"AUTH"},"cmds":[
		{"type":"ATTRIBUTES","cmdId":2,"entityType":"DEVICE","entityId":"784f394c-42b6-435a-983c-b7beff2784f9","keys":"fw","scope":"CLIENT_SCOPE"},
		{"type":"TIMESERIES","cmdId":5,"entityType":"DEVICE","entityId":"784f394c-42b6-435a-983c-b7beff2784f9","scope":"LATEST_TELEMETRY","keys":"t,h,t,,"},
		{"type":"TIMESERIES_HISTORY","cmdId":6,"entityType":"DEVICE","entityId":"784f394c-42b6-435a-983c-b7beff2784f9","keys":"t","startTs":1,"endTs":"2","interval":1e3,"limit":7,"agg":"AVG"},
		{"type":"ENTITY_DATA","cmdId":9,"query":{"x":1}},{"type":"ENTITY_DATA_UNSUBSCRIBE","cmdId":9}]}`
	legacy := `{"authCmd":{"token":"jwt"},
		"attrSubCmds":[{"cmdId":2,"entityType":"DEVICE","entityId":"784f394c-42b6-435a-983c-b7beff2784f9","keys":"fw","scope":"CLIENT_SCOPE"}],
		"tsSubCmds":[{"cmdId":5,"entityType":"DEVICE","entityId":"784f394c-42b6-435a-983c-b7beff2784f9","scope":"LATEST_TELEMETRY","keys":"t,h,t,,"}],
		"historyCmds":[{"cmdId":6,"entityType":"DEVICE","entityId":"784f394c-42b6-435a-983c-b7beff2784f9","keys":"t","startTs":1,"endTs":2,"interval":1000,"limit":7,"agg":"AVG"}],
		"entityDataCmds":[{"cmdId":9,"query":{"x":1}}],"entityDataUnsubscribeCmds":[{"cmdId":9}],"alarmDataCmds":null}`
	a, err := ParseWS([]byte(typed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseWS([]byte(legacy))
	if err != nil {
		t.Fatal(err)
	}
	texts := cmp.Transformer("text", func(e error) string {
		if e == nil {
			return ""
		}
		return e.Error()
	})
	if diff := cmp.Diff(a, b, texts, cmp.AllowUnexported(WSCommand{})); diff != "" {
		t.Errorf("typed and legacy differ:\n%s", diff)
	}
	if got := a.Commands[1].Keys; !cmp.Equal(got, []string{"h", "t"}) {
		t.Errorf("keys %q are not sorted and distinct", got)
	}
	if !a.Commands[1].NewestOnly() || a.Commands[2].Interval != 1000 || a.Token != "jwt" {
		t.Errorf("read %+v", a)
	}
}

func TestBadCommandsSayWhy(t *testing.T) {
	f := func(command, want string) {
		t.Helper()
		m, err := ParseWS([]byte(`{"cmds":[` + command + `]}`))
		if err != nil || len(m.Commands) != 1 {
			t.Fatalf("%s: %v", command, err)
		}
		if got := model.MessageOf(m.Commands[0].Err, ""); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
	f(`{"type":"TIMESERIES","cmdId":-1,"entityType":"DEVICE","entityId":"x"}`, "Cmd id is negative value!")
	f(`{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE"}`, "Device id is empty!")
	f(`{"type":"TIMESERIES","cmdId":1,"unsubscribe":true}`, "")
	f(`{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","keys":7,"surprise":1}`, "Failed to parse the payload")
	f(`{"type":"TIMESERIES","cmdId":1,"surprise":1}`, "Device id is empty!")
	f(`{"type":"TIMESERIES","cmdId":1.5}`, "Failed to parse the payload")
	f(`{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":"x","timeWindow":-1}`, "Time window is negative value!")
	f(`{"type":"TIMESERIES_HISTORY","cmdId":1,"entityType":"DEVICE","entityId":"x"}`, "Keys are empty!")
	f(`{"type":"ATTRIBUTES","cmdId":1,"entityType":"DEVICE","entityId":"x","scope":"MY_SCOPE"}`, "Invalid scope: MY_SCOPE")
	f(`{"type":"ENTITY_DATA","cmdId":-1,"query":{}}`, "Cmd id is negative value!")
	f(`{"type":"ENTITY_DATA","cmdId":-1,"surprise":{}}`, "Cmd id is negative value!")
	f(`{"type":"ALARM_STATUS","cmdId":1}`, "originatorId is missing")
	f(`{"type":"SOMETHING","cmdId":1}`, "Failed to parse the payload")
	f(`{"cmdId":1}`, "Failed to parse the payload")
	f(`7`, "Failed to parse the payload")
}

// Contract 18: members that nobody knows are ignored, whatever they hold, even where another
// command has one of that name.
func TestUnknownMembersAreIgnored(t *testing.T) {
	plain := `{"authCmd":{"token":"jwt"},"cmds":[
		{"type":"ATTRIBUTES","cmdId":2,"entityType":"DEVICE","entityId":"x","keys":"fw"},
		{"type":"TIMESERIES_HISTORY","cmdId":3,"entityType":"DEVICE","entityId":"x","keys":"t","endTs":9},
		{"type":"ENTITY_DATA","cmdId":9,"query":{"x":1}}],"tsSubCmds":[{"cmdId":5,"entityType":"DEVICE","entityId":"x"}]}`
	more := `{"authCmd":{"token":"jwt","foo":1},"foo":[{}],"CMDS":7,"cmds":[
		{"type":"ATTRIBUTES","cmdId":2,"entityType":"DEVICE","entityId":"x","keys":"fw","foo":1,"timeWindow":-1,"limit":"x","CmdId":4},
		{"type":"TIMESERIES_HISTORY","cmdId":3,"entityType":"DEVICE","entityId":"x","keys":"t","endTs":9,"resume":"x","foo":null},
		{"type":"ENTITY_DATA","cmdId":9,"query":{"x":1},"foo":{"bar":[1]},"keys":"t"}],"tsSubCmds":[{"cmdId":5,"entityType":"DEVICE","entityId":"x","foo":"bar"}]}`
	a, err := ParseWS([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseWS([]byte(more))
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.Commands {
		if b.Commands[i].Err != nil {
			t.Errorf("%d: %v", i, b.Commands[i].Err)
		}
	}
	if diff := cmp.Diff(a, b, cmp.AllowUnexported(WSCommand{})); diff != "" {
		t.Errorf("they change something:\n%s", diff)
	}
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	for _, text := range []string{"", "[]", "null", "7", "{", `{"cmds":{}}`, `{"cmds":[]}x`, `{"surpriseCmds":[]}`, `{"authCmd":1}`} {
		if _, err := ParseWS([]byte(text)); model.KindOf(err) != model.Invalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFramesAreExact(t *testing.T) {
	var w WSData
	f := func(want string, coalesced int, fill func()) {
		t.Helper()
		w.Begin(AppendWSID(nil, 5), false)
		fill()
		got := w.End(&WSNote{Coalesced: coalesced})
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if !json.Valid(got) {
			t.Errorf("%s is no JSON", got)
		}
	}
	f(`{"subscriptionId":5,"errorCode":0,"errorMsg":null,"data":{},"latestValues":{}}`, 0, func() {})
	f(`{"subscriptionId":5,"errorCode":0,"errorMsg":null,"data":{"h":[[1700000000000,"40"]],"t":[[1700000000001,"22.0"],[1700000000000,"21.5"]]},"latestValues":{"h":1700000000000,"t":1700000000000}}`, 0, func() {
		w.Key("h")
		w.Point(1700000000000, model.Int(40))
		w.Key("t")
		w.Point(1700000000001, model.Float(22))
		w.Point(1700000000000, model.Float(21.5))
	})
	f(`{"subscriptionId":5,"errorCode":0,"errorMsg":null,"data":{"a\"b":[[0,""]],"n":[[9,null]]},"latestValues":{"a\"b":0,"n":9},"coalesced":3}`, 3, func() {
		w.Key(`a"b`)
		w.Point(0, model.Value{})
		w.Key("n")
		w.Point(9, model.Null())
	})
	got := AppendWSError(nil, &WSCommand{ID: 7, Type: "ENTITY_DATA"}, WSBadRequest, `no "such" thing`)
	want := `{"subscriptionId":7,"cmdId":7,"errorCode":2,"errorMsg":"no \"such\" thing","allowedEntities":10000,"cmdUpdateType":"ENTITY_DATA","data":null,"update":null}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzParseWS(f *testing.F) {
	f.Add([]byte(`{"authCmd":{"token":"a"},"cmds":[{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":"x","keys":"a,b"}]}`))
	f.Add([]byte(`{"tsSubCmds":[{"cmdId":"9","startTs":1e3,"unsubscribe":true}],"historyCmds":[null]}`))
	f.Add([]byte(`{"entityDataCmds":[{"cmdId":1,"query":{},"latestCmd":{"keys":[{"type":"ATTRIBUTE","key":"a"}]},` +
		`"tsCmd":{"keys":["t"],"startTs":1,"timeWindow":9,"intervalType":"DAY","agg":"AVG"},"aggTsCmd":{"keys":[{"id":1,"key":"t","agg":"SUM"}],"timeWindow":9}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseWS(b)
		if err != nil {
			return
		}
		for _, c := range m.Commands {
			if _, err := c.Parts(QueryOptions{}); err != nil && model.KindOf(err) != model.Invalid {
				t.Errorf("%q: %v", b, err)
			}
			if frame := AppendWSError(nil, &c, WSBadRequest, c.EntityID); !json.Valid(frame) {
				t.Errorf("%q is no JSON", frame)
			}
		}
	})
}

// A value may hold what looks like the member of a frame that says where it is.
func TestThePlaceOfAFrameIsNoneOfItsValues(t *testing.T) {
	for frame, want := range map[string]string{
		`{"subscriptionId":3,"errorCode":0,"errorMsg":null,"data":{"t":[[1,"2"]]},"latestValues":{"t":1},"position":"AbC"}`:                    "AbC",
		`{"subscriptionId":3,"errorCode":0,"errorMsg":null,"data":{"t":[[1,{"x":1,"position":"N"}]]},"latestValues":{"t":1}}`:                  "",
		`{"subscriptionId":3,"errorCode":0,"errorMsg":null,"data":{"t":[[1,{"x":1,"position":"N"}]]},"latestValues":{"t":1},"position":"AbC"}`: "AbC",
	} {
		id, _, position, ok := WSPlace([]byte(frame))
		if id != 3 || !ok || string(position) != want {
			t.Errorf("%s is at %d %q, %v", frame, id, position, ok)
		}
	}
}

package spectest

import "testing"

func TestEveryWayToBreakAFrameIsTold(t *testing.T) {
	live, err := AsyncAPI()
	if err != nil {
		t.Fatal(err)
	}
	const ref = `{"entityType":"DEVICE","id":"784f394c-42b6-435a-983c-b7beff2784f9"}`
	for _, frame := range []string{
		`{"subscriptionId":1,"errorCode":0,"errorMsg":null,"data":{"t":[[5,"1"],[6,null]]},"latestValues":{"t":6},"coalesced":2,"position":"x"}`,
		`{"subscriptionId":1,"cmdId":1,"errorCode":2,"errorMsg":"no","allowedEntities":10000,"cmdUpdateType":"ENTITY_DATA","data":null,"update":null}`,
		`{"cmdId":1,"errorCode":0,"errorMsg":null,"allowedEntities":10000,"cmdUpdateType":"ENTITY_DATA","data":null,"update":[{"entityId":` + ref + `,"latest":{"TIME_SERIES":{"t":{"ts":1,"value":"2"}}},"timeseries":null,"aggLatest":null}]}`,
		`{"cmdId":1,"count":3,"errorCode":0,"errorMsg":null,"cmdUpdateType":"COUNT_DATA"}`,
	} {
		if err := live.VerifyFrame([]byte(frame)); err != nil {
			t.Errorf("%s: %v", frame, err)
		}
	}
	for _, frame := range []string{
		`{`, `[]`, `{}`,
		`{"subscriptionId":1,"errorCode":0,"errorMsg":null,"data":{}}`,
		`{"subscriptionId":1,"errorCode":0,"errorMsg":null,"data":{},"latestValues":{},"more":1}`,
		`{"subscriptionId":"1","errorCode":0,"errorMsg":null,"data":{},"latestValues":{}}`,
		`{"subscriptionId":1,"errorCode":7,"errorMsg":null,"data":{},"latestValues":{}}`,
		`{"subscriptionId":1,"errorCode":0,"errorMsg":null,"data":{"t":[[5]]},"latestValues":{}}`,
		`{"subscriptionId":1,"errorCode":0,"errorMsg":null,"data":{"t":[["5","1"]]},"latestValues":{}}`,
		`{"cmdId":1,"count":-1,"errorCode":0,"errorMsg":null,"cmdUpdateType":"COUNT_DATA"}`,
		`{"cmdId":1,"count":1,"errorCode":0,"errorMsg":null,"cmdUpdateType":"OTHER"}`,
	} {
		if live.VerifyFrame([]byte(frame)) == nil {
			t.Errorf("%s is taken for a frame", frame)
		}
	}
}

package api_test

import (
	"fmt"
	"strings"
	"testing"
)

// Contract 1.2, 3.1 and 3.4: members without a value are there. What clients add stays.
func TestDataOfDevicesAndProfilesHasAllItsMembers(t *testing.T) {
	w := newWorld(t)
	n := 0
	f := func(route, member, sent, want string) {
		t.Helper()
		n++
		body := fmt.Sprintf(`{"name":"n%d","transportType":"MQTT","provisionType":"CHECK_PRE_PROVISIONED_DEVICES",%q:%s}`, n, member, sent)
		if route == "/api/device" {
			body = fmt.Sprintf(`{"name":"n%d",%q:%s}`, n, member, sent)
		}
		if got := w.call("POST", route, w.adminA, body).is(200).Body.String(); !strings.Contains(got, fmt.Sprintf("%q:%s", member, want)) {
			t.Errorf("%s\n got %s\nwant %s", sent, got, want)
		}
	}
	const device = `{"configuration":{"type":"DEFAULT"},"transportConfiguration":{"type":"DEFAULT"}}`
	for _, sent := range []string{`null`, `{}`, `{"configuration":null}`, `{"configuration":{},"transportConfiguration":null}`, device} {
		f("/api/device", "deviceData", sent, device)
	}
	f("/api/device", "deviceData", `{"transportConfiguration":{"type":"SNMP","port":161},"x":9007199254740993}`,
		`{"configuration":{"type":"DEFAULT"},"transportConfiguration":{"type":"SNMP","port":161},"x":9007199254740993}`)
	f("/api/device", "deviceData", `{"x": 1, "transportConfiguration": {"type": "X"}, "configuration": {"type": "Y"}}`,
		`{"x":1,"transportConfiguration":{"type":"X"},"configuration":{"type":"Y"}}`) // complete: as it was sent
	const profile = `{"alarms":null,"configuration":{"type":"DEFAULT"},"provisionConfiguration":{"provisionDeviceSecret":null,` +
		`"type":"CHECK_PRE_PROVISIONED_DEVICES"},"transportConfiguration":{"type":"MQTT"}}`
	for _, sent := range []string{`null`, `{}`, `{"alarms":null,"provisionConfiguration":{}}`} {
		f("/api/deviceProfile", "profileData", sent, profile)
	}
	f("/api/deviceProfile", "profileData", `{"provisionConfiguration":{"type":"DISABLED","provisionDeviceSecret":"s"},"alarms":[1]}`,
		`{"alarms":[1],"configuration":{"type":"DEFAULT"},"provisionConfiguration":{"type":"DISABLED","provisionDeviceSecret":"s"},"transportConfiguration":{"type":"MQTT"}}`)

	for route, members := range map[string][]string{
		"/api/device":        {"deviceData", "configuration", "transportConfiguration"},
		"/api/deviceProfile": {"profileData", "configuration", "transportConfiguration", "provisionConfiguration"},
	} {
		for _, wrong := range []string{`5`, `"x"`, `[]`, `true`} {
			w.call("POST", route, w.adminA, fmt.Sprintf(`{"name":"wrong",%q:%s}`, members[0], wrong)).
				fails(400, 31, fmt.Sprintf("Invalid JSON body: '%s' is not an object", members[0]))
			for _, m := range members[1:] {
				w.call("POST", route, w.adminA, fmt.Sprintf(`{"name":"wrong",%q:{%q:%s}}`, members[0], m, wrong)).
					fails(400, 31, fmt.Sprintf("Invalid JSON body: '%s.%s' is not an object", members[0], m))
			}
		}
	}
	w.call("GET", "/api/tenant/devices?deviceName=wrong", w.adminA, "").is(404)
}

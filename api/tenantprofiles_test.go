package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
)

// Contract 3.5, 17.
func TestTenantProfilesLimitTenants(t *testing.T) {
	w := newWorld(t)
	const data = `{"configuration":{"type":"DEFAULT","maxDevices":2,"defaultStorageTtlDays":30,"mine":9007199254740993}}`
	p := post[api.TenantProfile](w, "/api/tenantProfile", w.system, `{"name":"Small","description":"d","profileData":`+data+`}`)
	path := "/api/tenantProfile/" + p.ID.ID.String()
	if got := w.call("GET", path, w.system, "").is(200).Body.String(); !strings.Contains(got, `"profileData":`+data) || !strings.Contains(got, `"default":false`) {
		t.Error(got)
	}
	tenant := post[api.Tenant](w, "/api/tenant", w.system, fmt.Sprintf(
		`{"id":{"entityType":"TENANT","id":%q},"title":"Acme","region":"EU","tenantProfileId":{"entityType":"TENANT_PROFILE","id":%q}}`, w.a, p.ID.ID))
	if tenant.TenantProfileID.ID != p.ID.ID || *tenant.Region != "EU" {
		t.Errorf("%+v", tenant)
	}
	// Acme has two devices already.
	got := w.call("POST", "/api/device", w.adminA, `{"name":"third"}`)
	got.fails(403, 41, "DEVICE limit reached")
	if !strings.HasSuffix(got.Body.String(), `,"entityType":"DEVICE","limit":2}`) {
		t.Error(got.Body)
	}
	w.call("DELETE", "/api/device/"+w.free.String(), w.adminA, "").is(200)
	w.call("POST", "/api/device", w.adminA, `{"name":"third"}`).is(200)

	w.call("POST", "/api/tenantProfile", w.system, fmt.Sprintf(`{"id":{"entityType":"TENANT_PROFILE","id":%q},"name":"Small","version":0}`, p.ID.ID)).is(409)
	w.call("POST", "/api/tenantProfile", w.system, `{"name":"x","profileData":{"configuration":{"maxDevices":-1}}}`).
		fails(400, 31, "Tenant profile: 'maxDevices' can't be negative!")
	w.call("DELETE", path, w.system, "").fails(400, 31, "The tenant profile referenced by the tenants cannot be deleted!")
	var list api.PageTenantProfile
	w.call("GET", "/api/tenantProfiles?pageSize=9&page=0&sortProperty=name&textSearch=s", w.system, "").is(200).json(&list)
	if len(list.Data) != 1 || list.Data[0].Name != "Small" {
		t.Errorf("%+v", list)
	}
	w.call("GET", "/api/tenantProfileInfos?pageSize=9&page=0", w.system, "").is(200)
	var info api.EntityInfo
	w.call("GET", "/api/tenantProfileInfo/default", w.system, "").is(200).json(&info)
	if info.Name != "Default" {
		t.Errorf("%+v", info)
	}
	w.call("POST", path+"/default", w.system, "").is(200)
	w.call("DELETE", path, w.system, "").fails(400, 31, "Deletion of Default Tenant Profile is prohibited!")

	// Contract 2.4: system administrators have telemetry of tenant profiles and tenants.
	series := "/api/plugins/telemetry/TENANT_PROFILE/" + p.ID.ID.String()
	w.call("POST", series+"/timeseries/ANY", w.system, `{"ts":1000,"values":{"t":1}}`).is(200, "")
	w.call("GET", series+"/values/timeseries?keys=t", w.system, "").is(200, `{"t":[{"ts":1000,"value":"1"}]}`)
	w.call("GET", series+"/values/timeseries?keys=t", w.adminA, "").text(404, "Tenant profile with requested id wasn't found!")
	w.call("POST", "/api/plugins/telemetry/TENANT/"+w.a.String()+"/timeseries/ANY", w.system, `{"t":1}`).is(200, "")
	w.call("POST", "/api/plugins/telemetry/TENANT/"+w.a.String()+"/timeseries/ANY", w.adminA, `{"t":1}`).is(403)
}

package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// Contract 3.3: an asset is a device without a device's data.
func TestAnAssetIsCreatedReadUpdatedAndDeleted(t *testing.T) {
	w := newWorld(t)
	a := post[api.Asset](w, "/api/asset", w.adminA, `{"name":"Hall","type":"building","label":"north","additionalInfo":{"floors":3}}`)
	if a.Type != "building" || a.Version != 1 || *a.Label != "north" || a.TenantID.ID.String() != w.a.String() || model.CustomerID(a.CustomerID.ID) != model.NoCustomer {
		t.Errorf("%+v", a)
	}
	path := "/api/asset/" + a.ID.ID.String()
	read := w.call("GET", path, w.adminA, "").is(200).Body.String()
	if !strings.Contains(read, `"externalId":null`) || !strings.Contains(read, `"additionalInfo":{"floors":3}`) {
		t.Error(read)
	}
	changed := strings.Replace(read, `"label":"north"`, `"label":null`, 1)
	if a = post[api.Asset](w, "/api/asset", w.adminA, changed); a.Label != nil || a.Version != 2 || a.Type != "building" {
		t.Errorf("%+v", a)
	}
	w.call("POST", "/api/asset", w.adminA, changed).fails(409, 35, "Asset was already changed by someone else")
	w.call("POST", "/api/asset", w.adminA, `{"name":"Hall"}`).fails(400, 31, "Asset with such name already exists!")
	w.call("POST", "/api/asset", w.oneUser, `{"name":"mine"}`).is(403)
	w.call("POST", "/api/asset", w.system, `{"name":"mine"}`).is(403)

	// An asset has telemetry and attributes like any entity.
	series := "/api/plugins/telemetry/ASSET/" + a.ID.ID.String()
	w.call("POST", series+"/timeseries/ANY", w.adminA, `{"ts":1000,"values":{"t":21.5}}`).is(200, "")
	w.call("GET", series+"/values/timeseries?keys=t", w.adminA, "").is(200, `{"t":[{"ts":1000,"value":"21.5"}]}`)
	w.call("POST", series+"/SERVER_SCOPE", w.adminA, `{"k":1}`).is(200, "")
	w.call("GET", series+"/keys/attributes", w.adminA, "").is(200, `["k"]`)
	w.call("GET", series+"/values/timeseries?keys=t", w.adminB, "").text(404, "Asset with requested id wasn't found!")
	w.call("GET", series+"/values/timeseries?keys=t", w.oneUser, "").text(403, "You don't have permission to perform this operation!")
	w.call("GET", series+"/values/timeseries?keys=t", w.system, "").text(403, "System administrator is not allowed to perform this operation!")

	w.call("DELETE", path, w.oneUser, "").is(403)
	w.call("DELETE", path, w.adminA, "").is(200, "")
	w.call("GET", path, w.adminA, "").fails(404, 32, "Asset with id ["+a.ID.ID.String()+"] is not found")
}

func TestAssetsAreListedAndAssigned(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		post[api.Asset](w, "/api/asset", w.adminA, fmt.Sprintf(`{"name":"room %d","type":"room"}`, i))
	}
	f := func(path, token, want string) {
		t.Helper()
		var p api.PageAsset
		w.call("GET", path, token, "").is(200).json(&p)
		got := fmt.Sprintf("%d/%d/%v:", p.TotalElements, p.TotalPages, p.HasNext)
		for _, a := range p.Data {
			got += " " + a.Name
		}
		if got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	all := "/api/tenant/assets?pageSize=2&sortProperty=name&page="
	f(all+"0", w.adminA, "4/2/true: building room 0")
	f(all+"1&sortOrder=DESC", w.adminA, "4/2/false: room 0 building")
	f(all+"0&textSearch=ROOM&type=room", w.adminA, "3/2/true: room 0 room 1")
	f("/api/tenant/assetInfos?pageSize=9&page=0&type=default", w.adminA, "1/1/false: building")
	f("/api/customer/"+w.one.String()+"/assets?pageSize=9&page=0", w.oneUser, "1/1/false: building")
	f("/api/customer/"+w.one.String()+"/assetInfos?pageSize=9&page=0", w.oneUser, "1/1/false: building")
	w.call("GET", "/api/tenant/assets?page=0", w.adminA, "").fails(400, 31, "Required request parameter 'pageSize' is not present")
	w.call("GET", "/api/tenant/assets?pageSize=1&page=0&sortProperty=x", w.adminA, "").fails(400, 31, "Invalid sort property")

	var a api.Asset
	w.call("GET", "/api/tenant/assets?assetName=room+1", w.adminA, "").is(200).json(&a)
	w.call("GET", "/api/tenant/asset?assetName=room+1", w.adminA, "").is(200)
	w.call("GET", "/api/tenant/asset?assetName=nothing", w.adminA, "").is(404)
	id := a.ID.ID.String()
	w.call("DELETE", "/api/customer/asset/"+id, w.adminA, "").fails(400, 31, "Asset isn't assigned to any customer!")
	w.call("POST", "/api/customer/"+w.two.String()+"/asset/"+id, w.adminA, "").is(200)
	w.call("GET", "/api/asset/"+id, w.twoUser, "").is(200)
	w.call("GET", "/api/asset/types", w.twoUser, "").is(200, fmt.Sprintf(`[{"entityType":"ASSET","tenantId":{"entityType":"TENANT","id":"%s"},"type":"room"}]`, w.a)+"\n")
	w.call("DELETE", "/api/customer/asset/"+id, w.adminA, "").is(200)
	w.call("GET", "/api/asset/"+id, w.twoUser, "").is(403)
	w.call("POST", "/api/customer/public/asset/"+id, w.adminA, "").is(200)
	var info api.AssetInfo
	w.call("GET", "/api/asset/info/"+id, w.adminA, "").is(200).json(&info)
	if !info.CustomerIsPublic || *info.CustomerTitle != "Public" || info.AssetProfileName != "room" {
		t.Errorf("%+v", info)
	}
	// A tenant's administrator moves an asset with the asset itself.
	moved := post[api.Asset](w, "/api/asset", w.adminA, fmt.Sprintf(`{"id":{"entityType":"ASSET","id":%q},"name":"room 1","customerId":{"entityType":"CUSTOMER","id":%q}}`, id, w.one))
	if model.CustomerID(moved.CustomerID.ID) != w.one {
		t.Errorf("%+v", moved)
	}
	w.call("POST", "/api/asset", w.oneUser, fmt.Sprintf(`{"id":{"entityType":"ASSET","id":%q},"name":"room 1","customerId":{"entityType":"CUSTOMER","id":%q}}`, id, w.two)).is(403)
	var some []api.Asset
	w.call("GET", fmt.Sprintf("/api/assets?assetIds=%s,%s", id, w.asset), w.oneUser, "").is(200).json(&some)
	if len(some) != 2 || some[0].Name != "room 1" {
		t.Errorf("%+v", some)
	}
	w.call("GET", "/api/assets?assetIds=", w.oneUser, "").fails(400, 31, "Parameter 'assetIds' can't be empty!")
	w.call("GET", "/api/assets?assetIds=x", w.oneUser, "").fails(400, 31, `Invalid UUID string: "x"`)
}

func TestAssetProfilesAreSavedAndListed(t *testing.T) {
	w := newWorld(t)
	p := post[api.AssetProfile](w, "/api/assetProfile", w.adminA, fmt.Sprintf(`{"name":"hall","description":"d","defaultQueueName":"Main","image":"i","defaultDashboardId":{"entityType":"DASHBOARD","id":%q}}`, w.dashboard))
	if p.Name != "hall" || *p.Image != "i" || p.DefaultDashboardID.ID != model.ID(w.dashboard) || p.Default {
		t.Errorf("%+v", p)
	}
	path := "/api/assetProfile/" + p.ID.ID.String()
	a := post[api.Asset](w, "/api/asset", w.adminA, fmt.Sprintf(`{"name":"m","assetProfileId":{"entityType":"ASSET_PROFILE","id":%q}}`, p.ID.ID))
	if a.Type != "hall" {
		t.Errorf("%+v", a)
	}
	w.call("DELETE", path, w.adminA, "").fails(400, 31, "The asset profile referenced by the assets cannot be deleted!")
	w.call("POST", path+"/default", w.adminA, "").is(200)
	var info api.AssetProfileInfo
	w.call("GET", "/api/assetProfileInfo/default", w.oneUser, "").is(200).json(&info)
	if info.Name != "hall" {
		t.Errorf("%+v", info)
	}
	w.call("GET", "/api/assetProfileInfo/"+p.ID.ID.String(), w.oneUser, "").is(200)
	var infos api.PageAssetProfileInfo
	w.call("GET", "/api/assetProfileInfos?pageSize=9&page=0&sortProperty=name", w.oneUser, "").is(200).json(&infos)
	if infos.TotalElements != 2 || infos.Data[1].Name != "hall" {
		t.Errorf("%+v", infos)
	}
	w.call("GET", "/api/assetProfiles?pageSize=9&page=0", w.adminA, "").is(200)
	w.call("POST", "/api/assetProfile", w.adminA, fmt.Sprintf(`{"id":{"entityType":"ASSET_PROFILE","id":%q},"name":"hall","version":1}`, p.ID.ID)).is(409)
	gone := post[api.AssetProfile](w, "/api/assetProfile", w.adminA, `{"name":"gone"}`)
	w.call("DELETE", "/api/assetProfile/"+gone.ID.ID.String(), w.adminA, "").is(200, "")
}

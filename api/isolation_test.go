package api_test

import (
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// A row is what to ask one route for: things of tenant A and, where that can be, of its customer
// one. What each caller gets stands in testdata/matrix.txt.
type row struct {
	target string // path and query, with {names} of the world
	body   string
}

const (
	allDevices = `{"entityFilter":{"type":"entityType","entityType":"DEVICE"},"pageLink":{"pageSize":1000},"entityFields":[{"type":"ENTITY_FIELD","key":"name"}]}`

	list = "?pageSize=100&page=0"
	ref  = `{"entityType":"X","id":"ID"}`
)

func entity(kind, name string) string {
	return strings.NewReplacer("X", kind, "ID", "{"+name+"}").Replace(ref)
}

// rows has one row a route.
var rows = map[string]row{
	"POST /api/auth/login":                  {"/api/auth/login", `{}`},
	"POST /api/auth/login/public":           {"/api/auth/login/public", `{"publicId":"{one}"}`},
	"POST /api/noauth/resetPasswordByEmail": {"/api/noauth/resetPasswordByEmail", `{"email":"a@example.org"}`},
	"POST /api/noauth/resetPassword":        {"/api/noauth/resetPassword", `{"resetToken":"x","password":"long enough"}`},
	"GET /api/noauth/userPasswordPolicy":    {"/api/noauth/userPasswordPolicy", ""},
	"POST /api/auth/token":                  {"/api/auth/token", `{}`},
	"POST /api/auth/logout":                 {"/api/auth/logout", ""},
	"GET /api/auth/user":                    {"/api/auth/user", ""},
	"POST /api/auth/changePassword":         {"/api/auth/changePassword", `{"currentPassword":"x","newPassword":"y"}`},
	"POST /api/noauth/activate":             {"/api/noauth/activate", `{"activateToken":"x","password":"long enough"}`},
	"GET /api/noauth/setup":                 {"/api/noauth/setup", ""},
	"POST /api/noauth/setup":                {"/api/noauth/setup", `{"token":"x"}`},

	"POST /api/tenant":                                 {"/api/tenant", `{"id":` + entity("TENANT", "a") + `,"title":"Mine"}`},
	"GET /api/tenant/:tenantId":                        {"/api/tenant/{a}", ""},
	"DELETE /api/tenant/:tenantId":                     {"/api/tenant/{a}", ""},
	"GET /api/tenants":                                 {"/api/tenants" + list, ""},
	"GET /api/tenant/:tenantId/users":                  {"/api/tenant/{a}/users" + list, ""},
	"POST /api/tenantProfile":                          {"/api/tenantProfile", `{"id":` + entity("TENANT_PROFILE", "tenantProfile") + `,"name":"mine"}`},
	"GET /api/tenantProfile/:tenantProfileId":          {"/api/tenantProfile/{tenantProfile}", ""},
	"DELETE /api/tenantProfile/:tenantProfileId":       {"/api/tenantProfile/{tenantProfile}", ""},
	"POST /api/tenantProfile/:tenantProfileId/default": {"/api/tenantProfile/{tenantProfile}/default", ""},
	"GET /api/tenantProfiles":                          {"/api/tenantProfiles" + list, ""},
	"GET /api/tenantProfileInfos":                      {"/api/tenantProfileInfos" + list, ""},
	"GET /api/tenantProfileInfo/default":               {"/api/tenantProfileInfo/default", ""},
	"GET /api/retention":                               {"/api/retention", ""},
	"POST /api/retention":                              {"/api/retention", `{}`},
	"POST /api/telemetry/query":                        {"/api/telemetry/query", `{"entities":[` + entity("DEVICE", "owned") + `],"startTs":0,"endTs":1}`},
	"POST /api/retention/preview":                      {"/api/retention/preview", `{}`},
	"POST /api/customer":                               {"/api/customer", `{"id":` + entity("CUSTOMER", "one") + `,"title":"Mine"}`},
	"GET /api/customer/:customerId":                    {"/api/customer/{one}", ""},
	"DELETE /api/customer/:customerId":                 {"/api/customer/{one}", ""},
	"GET /api/customer/:customerId/shortInfo":          {"/api/customer/{one}/shortInfo", ""},
	"GET /api/customer/:customerId/title":              {"/api/customer/{one}/title", ""},
	"GET /api/customer/:customerId/users":              {"/api/customer/{one}/users" + list, ""},
	"GET /api/customer/:customerId/devices":            {"/api/customer/{one}/devices" + list, ""},
	"GET /api/customer/:customerId/deviceInfos":        {"/api/customer/{one}/deviceInfos" + list, ""},
	"GET /api/customer/:customerId/dashboards":         {"/api/customer/{one}/dashboards" + list, ""},
	"GET /api/customers":                               {"/api/customers" + list, ""},
	"GET /api/tenant/customers":                        {"/api/tenant/customers?customerTitle=One", ""},

	"POST /api/user":                                {"/api/user", `{"id":` + entity("USER", "user") + `,"email":"mine@example.org","authority":"CUSTOMER_USER"}`},
	"GET /api/user/:userId":                         {"/api/user/{user}", ""},
	"DELETE /api/user/:userId":                      {"/api/user/{user}", ""},
	"GET /api/user/:userId/activationLink":          {"/api/user/{user}/activationLink", ""},
	"GET /api/user/:userId/token":                   {"/api/user/{user}/token", ""},
	"POST /api/user/:userId/userCredentialsEnabled": {"/api/user/{user}/userCredentialsEnabled?userCredentialsEnabled=false", ""},
	"GET /api/user/:userId/sessions":                {"/api/user/{user}/sessions", ""},
	"DELETE /api/user/:userId/sessions":             {"/api/user/{user}/sessions", ""},
	"GET /api/auth/sessions":                        {"/api/auth/sessions", ""},
	"DELETE /api/auth/sessions/:sessionId":          {"/api/auth/sessions/{session}", ""},
	"GET /api/tokens":                               {"/api/tokens" + list, ""},
	"POST /api/tokens":                              {"/api/tokens", `{"name":"x","scopes":["rpc"],"entities":["{owned}"]}`},
	"DELETE /api/tokens":                            {"/api/tokens", ""},
	"GET /api/tokens/:tokenId":                      {"/api/tokens/{token}", ""},
	"DELETE /api/tokens/:tokenId":                   {"/api/tokens/{token}", ""},
	"POST /api/tokens/:tokenId/rotate":              {"/api/tokens/{token}/rotate", ""},
	"POST /api/apiKey":                              {"/api/apiKey", `{"userId":` + entity("USER", "user") + `,"description":"x"}`},
	"GET /api/apiKeys/:userId":                      {"/api/apiKeys/{user}" + list, ""},
	"PUT /api/apiKey/:apiKeyId/description":         {"/api/apiKey/{key}/description", "theirs"},
	"PUT /api/apiKey/:apiKeyId/enabled/:enabled":    {"/api/apiKey/{key}/enabled/false", ""},
	"DELETE /api/apiKey/:apiKeyId":                  {"/api/apiKey/{key}", ""},
	"GET /api/users":                                {"/api/users" + list, ""},

	"POST /api/device":                                {"/api/device", `{"id":` + entity("DEVICE", "owned") + `,"name":"mine"}`},
	"POST /api/device-with-credentials":               {"/api/device-with-credentials", `{"device":{"id":` + entity("DEVICE", "owned") + `,"name":"mine"},"credentials":{"credentialsType":"ACCESS_TOKEN","credentialsId":"mine"}}`},
	"GET /api/device/:deviceId":                       {"/api/device/{owned}", ""},
	"DELETE /api/device/:deviceId":                    {"/api/device/{owned}", ""},
	"GET /api/device/info/:deviceId":                  {"/api/device/info/{owned}", ""},
	"GET /api/device/types":                           {"/api/device/types", ""},
	"GET /api/device-connectivity/:deviceId":          {"/api/device-connectivity/{owned}", ""},
	"GET /api/tenant/devices":                         {"/api/tenant/devices" + list, ""},
	"GET /api/tenant/device":                          {"/api/tenant/device?deviceName=owned", ""},
	"GET /api/tenant/deviceInfos":                     {"/api/tenant/deviceInfos" + list, ""},
	"GET /api/devices":                                {"/api/devices?deviceIds={owned},{free}", ""},
	"GET /api/devices/list":                           {"/api/devices/list?deviceIds={owned},{free}", ""},
	"DELETE /api/customer/device/:deviceId":           {"/api/customer/device/{owned}", ""},
	"POST /api/customer/public/device/:deviceId":      {"/api/customer/public/device/{owned}", ""},
	"POST /api/customer/:customerId/device/:deviceId": {"/api/customer/{one}/device/{owned}", ""},
	"GET /api/device/:deviceId/credentials":           {"/api/device/{owned}/credentials", ""},
	"POST /api/device/credentials":                    {"/api/device/credentials", `{"id":{"id":"{credentials}"},"deviceId":` + entity("DEVICE", "owned") + `,"credentialsType":"ACCESS_TOKEN","credentialsId":"mine"}`},

	"POST /api/deviceProfile":                          {"/api/deviceProfile", `{"id":` + entity("DEVICE_PROFILE", "profile") + `,"name":"mine"}`},
	"GET /api/deviceProfile/:deviceProfileId":          {"/api/deviceProfile/{profile}", ""},
	"DELETE /api/deviceProfile/:deviceProfileId":       {"/api/deviceProfile/{profile}", ""},
	"POST /api/deviceProfile/:deviceProfileId/default": {"/api/deviceProfile/{profile}/default", ""},
	"GET /api/deviceProfileInfo/:deviceProfileId":      {"/api/deviceProfileInfo/{profile}", ""},
	"GET /api/deviceProfileInfo/default":               {"/api/deviceProfileInfo/default", ""},
	"GET /api/deviceProfile/devices/keys/timeseries":   {"/api/deviceProfile/devices/keys/timeseries?deviceProfileId={profile}", ""},
	"GET /api/deviceProfile/devices/keys/attributes":   {"/api/deviceProfile/devices/keys/attributes", ""},
	"GET /api/deviceProfiles":                          {"/api/deviceProfiles" + list, ""},
	"GET /api/deviceProfileInfos":                      {"/api/deviceProfileInfos" + list, ""},

	"POST /api/asset":                                {"/api/asset", `{"id":` + entity("ASSET", "asset") + `,"name":"mine"}`},
	"GET /api/asset/:assetId":                        {"/api/asset/{asset}", ""},
	"DELETE /api/asset/:assetId":                     {"/api/asset/{asset}", ""},
	"GET /api/asset/info/:assetId":                   {"/api/asset/info/{asset}", ""},
	"GET /api/asset/types":                           {"/api/asset/types", ""},
	"GET /api/tenant/assets":                         {"/api/tenant/assets" + list, ""},
	"GET /api/tenant/asset":                          {"/api/tenant/asset?assetName=building", ""},
	"GET /api/tenant/assetInfos":                     {"/api/tenant/assetInfos" + list, ""},
	"GET /api/customer/:customerId/assets":           {"/api/customer/{one}/assets" + list, ""},
	"GET /api/customer/:customerId/assetInfos":       {"/api/customer/{one}/assetInfos" + list, ""},
	"GET /api/assets":                                {"/api/assets?assetIds={asset}", ""},
	"POST /api/customer/:customerId/asset/:assetId":  {"/api/customer/{one}/asset/{asset}", ""},
	"DELETE /api/customer/asset/:assetId":            {"/api/customer/asset/{asset}", ""},
	"POST /api/customer/public/asset/:assetId":       {"/api/customer/public/asset/{asset}", ""},
	"POST /api/assetProfile":                         {"/api/assetProfile", `{"id":` + entity("ASSET_PROFILE", "assetProfile") + `,"name":"mine"}`},
	"GET /api/assetProfile/:assetProfileId":          {"/api/assetProfile/{assetProfile}", ""},
	"DELETE /api/assetProfile/:assetProfileId":       {"/api/assetProfile/{assetProfile}", ""},
	"POST /api/assetProfile/:assetProfileId/default": {"/api/assetProfile/{assetProfile}/default", ""},
	"GET /api/assetProfiles":                         {"/api/assetProfiles" + list, ""},
	"GET /api/assetProfileInfos":                     {"/api/assetProfileInfos" + list, ""},
	"GET /api/assetProfileInfo/:assetProfileId":      {"/api/assetProfileInfo/{assetProfile}", ""},
	"GET /api/assetProfileInfo/default":              {"/api/assetProfileInfo/default", ""},

	"POST /api/entityView":                                    {"/api/entityView", `{"id":` + entity("ENTITY_VIEW", "view") + `,"name":"mine","entityId":` + entity("DEVICE", "owned") + `}`},
	"GET /api/entityView/:entityViewId":                       {"/api/entityView/{view}", ""},
	"DELETE /api/entityView/:entityViewId":                    {"/api/entityView/{view}", ""},
	"GET /api/entityView/info/:entityViewId":                  {"/api/entityView/info/{view}", ""},
	"GET /api/entityViews":                                    {"/api/entityViews?entityViewIds={view}", ""},
	"GET /api/entityView/types":                               {"/api/entityView/types", ""},
	"GET /api/tenant/entityViews":                             {"/api/tenant/entityViews" + list, ""},
	"GET /api/tenant/entityView":                              {"/api/tenant/entityView?entityViewName=view", ""},
	"GET /api/tenant/entityViewInfos":                         {"/api/tenant/entityViewInfos" + list, ""},
	"GET /api/customer/:customerId/entityViews":               {"/api/customer/{one}/entityViews" + list, ""},
	"GET /api/customer/:customerId/entityViewInfos":           {"/api/customer/{one}/entityViewInfos" + list, ""},
	"POST /api/customer/:customerId/entityView/:entityViewId": {"/api/customer/{one}/entityView/{view}", ""},
	"DELETE /api/customer/entityView/:entityViewId":           {"/api/customer/entityView/{view}", ""},
	"POST /api/customer/public/entityView/:entityViewId":      {"/api/customer/public/entityView/{view}", ""},

	"GET /api/audit/logs":                              {"/api/audit/logs" + list, ""},
	"GET /api/audit/logs/customer/:customerId":         {"/api/audit/logs/customer/{one}" + list, ""},
	"GET /api/audit/logs/user/:userId":                 {"/api/audit/logs/user/{user}" + list, ""},
	"GET /api/audit/logs/entity/:entityType/:entityId": {"/api/audit/logs/entity/DEVICE/{owned}" + list, ""},

	"POST /api/relation":       {"/api/relation", `{"from":` + entity("ASSET", "asset") + `,"to":` + entity("DEVICE", "owned") + `,"type":"x"}`},
	"DELETE /api/relation":     {"/api/relation?fromId={asset}&fromType=ASSET&toId={owned}&toType=DEVICE&relationType=x", ""},
	"GET /api/relations":       {"/api/relations?fromId={asset}&fromType=ASSET", ""},
	"GET /api/relations/info":  {"/api/relations/info?toId={owned}&toType=DEVICE", ""},
	"POST /api/relations":      {"/api/relations", `{"parameters":{"rootId":"{asset}","rootType":"ASSET"}}`},
	"POST /api/relations/info": {"/api/relations/info", `{"parameters":{"rootId":"{asset}","rootType":"ASSET"}}`},

	"POST /api/dashboard":                                     {"/api/dashboard", `{"id":` + entity("DASHBOARD", "dashboard") + `,"title":"mine"}`},
	"GET /api/dashboard/:dashboardId":                         {"/api/dashboard/{dashboard}", ""},
	"DELETE /api/dashboard/:dashboardId":                      {"/api/dashboard/{dashboard}", ""},
	"GET /api/dashboard/info/:dashboardId":                    {"/api/dashboard/info/{dashboard}", ""},
	"GET /api/tenant/dashboards":                              {"/api/tenant/dashboards" + list, ""},
	"POST /api/customer/:customerId/dashboard/:dashboardId":   {"/api/customer/{one}/dashboard/{dashboard}", ""},
	"DELETE /api/customer/:customerId/dashboard/:dashboardId": {"/api/customer/{one}/dashboard/{dashboard}", ""},

	"POST /api/customer/public/dashboard/:dashboardId":   {"/api/customer/public/dashboard/{dashboard}", ""},
	"DELETE /api/customer/public/dashboard/:dashboardId": {"/api/customer/public/dashboard/{dashboard}", ""},

	"GET /api/dashboard/serverTime":                    {"/api/dashboard/serverTime", ""},
	"GET /api/dashboard/maxDatapointsLimit":            {"/api/dashboard/maxDatapointsLimit", ""},
	"GET /api/events/:entityType/:entityId/:eventType": {"/api/events/DEVICE/{owned}/LC_EVENT" + list, ""},
	"GET /api/queues":                                  {"/api/queues" + list + "&serviceType=TB_RULE_ENGINE", ""},
	"GET /api/dashboard/home":                          {"/api/dashboard/home", ""},
	"GET /api/dashboard/home/info":                     {"/api/dashboard/home/info", ""},
	"GET /api/tenant/dashboard/home/info":              {"/api/tenant/dashboard/home/info", ""},
	"POST /api/tenant/dashboard/home/info":             {"/api/tenant/dashboard/home/info", `{"dashboardId":` + entity("DASHBOARD", "dashboard") + `,"hideDashboardToolbar":true}`},
	"POST /api/alarmsQuery/find":                       {"/api/alarmsQuery/find", allDevices},
	"POST /api/alarmsQuery/count":                      {"/api/alarmsQuery/count", allDevices},
	"GET /api/limits":                                  {"/api/limits?deviceId={owned}", ""},
	"GET /api/system/params":                           {"/api/system/params", ""},
	"GET /api/system/losses":                           {"/api/system/losses", ""},
	"GET /api/system/backup":                           {"/api/system/backup", ""},
	"POST /api/system/backup":                          {"/api/system/backup", "{}"},

	"GET " + series + "/keys/timeseries":                  {device + "/keys/timeseries", ""},
	"GET " + series + "/values/timeseries":                {device + "/values/timeseries", ""},
	"GET " + series + "/values/timeseries/history":        {device + "/values/timeseries/history?startTs=0&endTs=9&keys=t", ""},
	"GET " + series + "/values/timeseries/page":           {device + "/values/timeseries/page?startTs=0&endTs=9&keys=t", ""},
	"GET " + series + "/values/timeseries/revisions":      {device + "/values/timeseries/revisions?startTs=0&endTs=9&keys=t", ""},
	"GET " + series + "/values/attributes/:scope/history": {device + "/values/attributes/SERVER_SCOPE/history?startTs=0&endTs=9&keys=t", ""},
	"POST " + series + "/timeseries/:scope":               {device + "/timeseries/ANY", `{"t":1}`},
	"POST " + series + "/timeseries/:scope/:ttl":          {device + "/timeseries/ANY/60", `{"t":1}`},
	"DELETE " + series + "/timeseries/delete":             {device + "/timeseries/delete?keys=t&deleteAllDataForKeys=true", ""},
	"GET " + series + "/keys/attributes":                  {device + "/keys/attributes", ""},
	"GET " + series + "/keys/attributes/:scope":           {device + "/keys/attributes/SERVER_SCOPE", ""},
	"GET " + series + "/values/attributes":                {device + "/values/attributes", ""},
	"GET " + series + "/values/attributes/:scope":         {device + "/values/attributes/SERVER_SCOPE", ""},
	"POST " + series + "/:scope":                          {device + "/SERVER_SCOPE", `{"k":1}`},
	"DELETE " + series + "/:scope":                        {device + "/SERVER_SCOPE?keys=k", ""},
	"POST " + series + "/attributes/:scope":               {device + "/attributes/SHARED_SCOPE", `{"k":1}`},
	"POST /api/plugins/telemetry/:deviceId/:scope":        {"/api/plugins/telemetry/{owned}/SERVER_SCOPE", `{"k":1}`},
	"DELETE /api/plugins/telemetry/:deviceId/:scope":      {"/api/plugins/telemetry/{owned}/SERVER_SCOPE?keys=k", ""},

	"POST /api/entitiesQuery/find":      {"/api/entitiesQuery/find", allDevices},
	"POST /api/entitiesQuery/count":     {"/api/entitiesQuery/count", allDevices},
	"POST /api/entitiesQuery/find/keys": {"/api/entitiesQuery/find/keys", allDevices},

	// A device's token is all the right there is; user tokens change nothing.
	"POST /api/v1/:deviceToken/telemetry":  {"/api/v1/guess/telemetry", `{"t":1}`},
	"POST /api/v1/:deviceToken/attributes": {"/api/v1/guess/attributes", `{"k":1}`},
	"GET /api/v1/:deviceToken/attributes":  {"/api/v1/guess/attributes", ""},

	// Sockets authenticate by themselves, operations are open.
	"GET /api/live":      {"/api/live?cmds=[]", ""},
	"GET /api/ws":        {"/api/ws", ""},
	"GET /api/ws/*":      {"/api/ws/plugins/telemetry", ""},
	"GET /healthz":       {"/healthz", ""},
	"GET /readyz":        {"/readyz", ""},
	"GET /metrics":       {"/metrics", ""},
	"GET /openapi.yaml":  {"/openapi.yaml", ""},
	"GET /asyncapi.yaml": {"/asyncapi.yaml", ""},
}

const (
	series = "/api/plugins/telemetry/:entityType/:entityId"
	device = "/api/plugins/telemetry/DEVICE/{owned}"
)

// names fills ids of tenant A into a row.
func (w *world) names() *strings.Replacer {
	w.t.Helper()
	profile, err := w.registry.Device(w.t.Context(), w.a, w.owned)
	check(w.t, err)
	standard, err := w.registry.DefaultTenantProfile(w.t.Context())
	check(w.t, err)
	asset, err := w.registry.Asset(w.t.Context(), w.a, w.asset)
	check(w.t, err)
	sessions, err := w.registry.Sessions(w.t.Context(), w.userOne)
	check(w.t, err)
	tokens := post[api.APITokenSecret](w, "/api/tokens", w.adminA, `{"name":"of A","scopes":["read:telemetry"]}`)
	key := &model.APIKey{Tenant: w.a, User: w.userOne, Description: "of A", Enabled: true}
	check(w.t, w.registry.CreateKey(w.t.Context(), key, "of A "+w.clock.now().String()+sessions[0].ID.String()))
	credentials, err := w.registry.Credentials(w.t.Context(), w.a, w.owned)
	check(w.t, err)
	return strings.NewReplacer("{credentials}", credentials.ID.String(), "{key}", key.ID.String(), "{session}", sessions[0].ID.String(), "{token}", tokens.Info.ID.String(), "{a}", w.a.String(), "{one}", w.one.String(), "{user}", w.userOne.String(),
		"{owned}", w.owned.String(), "{free}", w.free.String(), "{profile}", profile.ProfileID.String(),
		"{dashboard}", w.dashboard.String(), "{tenantProfile}", standard.ID.String(), "{asset}", w.asset.String(), "{view}", w.view.String(), "{assetProfile}", asset.ProfileID.String())
}

// System administrators manage tenants and stay out of what tenants own.
func TestSystemAdministratorsSeeNoTelemetry(t *testing.T) {
	w := newWorld(t)
	path := "/api/plugins/telemetry/DEVICE/" + w.owned.String() + "/values/timeseries"
	w.call("GET", path, w.system, "").text(403, "System administrator is not allowed to perform this operation!")
	w.call("GET", "/api/device/"+w.owned.String(), w.system, "").
		fails(403, 20, "You don't have permission to perform this operation!")
}

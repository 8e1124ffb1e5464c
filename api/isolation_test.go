package api_test

import (
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// A row says what strangers get from one route when they name what belongs to tenant A and
// its customer one.
type row struct {
	target string // path and query, with {names} of the world
	body   string
	nobody int // without a token
	tenant int // with the token of another tenant's administrator
	user   int // with the token of another customer's user
}

const (
	allDevices = `{"entityFilter":{"type":"entityType","entityType":"DEVICE"},"pageLink":{"pageSize":1000},"entityFields":[{"type":"ENTITY_FIELD","key":"name"}]}`

	list = "?pageSize=100&page=0"
	ref  = `{"entityType":"X","id":"ID"}`
)

func entity(kind, name string) string {
	return strings.NewReplacer("X", kind, "ID", "{"+name+"}").Replace(ref)
}

// rows has one row a route. 404 is what another tenant's things look like, 403 those of
// another customer. Lists answer 200 and are searched for what they must not contain.
var rows = map[string]row{
	"POST /api/auth/login":                  {"/api/auth/login", `{}`, 401, 401, 401},
	"POST /api/auth/login/public":           {"/api/auth/login/public", `{"publicId":"{one}"}`, 401, 401, 401},
	"POST /api/noauth/resetPasswordByEmail": {"/api/noauth/resetPasswordByEmail", `{"email":"a@example.org"}`, 200, 200, 200},
	"POST /api/noauth/resetPassword":        {"/api/noauth/resetPassword", `{"resetToken":"x","password":"long enough"}`, 400, 400, 400},
	"GET /api/noauth/userPasswordPolicy":    {"/api/noauth/userPasswordPolicy", "", 200, 200, 200},
	"POST /api/auth/token":                  {"/api/auth/token", `{}`, 401, 401, 401},
	"POST /api/auth/logout":                 {"/api/auth/logout", "", 401, 200, 200},
	"GET /api/auth/user":                    {"/api/auth/user", "", 401, 200, 200},
	"POST /api/auth/changePassword":         {"/api/auth/changePassword", `{"currentPassword":"x","newPassword":"y"}`, 401, 400, 400},
	"POST /api/noauth/activate":             {"/api/noauth/activate", `{"activateToken":"x","password":"long enough"}`, 400, 400, 400},
	"GET /api/noauth/setup":                 {"/api/noauth/setup", "", 200, 200, 200},
	"POST /api/noauth/setup":                {"/api/noauth/setup", `{"token":"x"}`, 401, 401, 401},

	"POST /api/tenant":                                 {"/api/tenant", `{"id":` + entity("TENANT", "a") + `,"title":"Mine"}`, 401, 403, 403},
	"GET /api/tenant/:tenantId":                        {"/api/tenant/{a}", "", 401, 404, 403},
	"DELETE /api/tenant/:tenantId":                     {"/api/tenant/{a}", "", 401, 404, 403},
	"GET /api/tenants":                                 {"/api/tenants" + list, "", 401, 403, 403},
	"GET /api/tenant/:tenantId/users":                  {"/api/tenant/{a}/users" + list, "", 401, 404, 403},
	"POST /api/tenantProfile":                          {"/api/tenantProfile", `{"id":` + entity("TENANT_PROFILE", "tenantProfile") + `,"name":"mine"}`, 401, 403, 403},
	"GET /api/tenantProfile/:tenantProfileId":          {"/api/tenantProfile/{tenantProfile}", "", 401, 403, 403},
	"DELETE /api/tenantProfile/:tenantProfileId":       {"/api/tenantProfile/{tenantProfile}", "", 401, 403, 403},
	"POST /api/tenantProfile/:tenantProfileId/default": {"/api/tenantProfile/{tenantProfile}/default", "", 401, 403, 403},
	"GET /api/tenantProfiles":                          {"/api/tenantProfiles" + list, "", 401, 403, 403},
	"GET /api/tenantProfileInfos":                      {"/api/tenantProfileInfos" + list, "", 401, 403, 403},
	"GET /api/tenantProfileInfo/default":               {"/api/tenantProfileInfo/default", "", 401, 403, 403},
	"GET /api/retention":                               {"/api/retention", "", 401, 200, 403},
	"POST /api/retention":                              {"/api/retention", `{}`, 401, 200, 403},
	"POST /api/telemetry/query":                        {"/api/telemetry/query", `{"entities":[` + entity("DEVICE", "owned") + `],"startTs":0,"endTs":1}`, 401, 404, 403},
	"POST /api/retention/preview":                      {"/api/retention/preview", `{}`, 401, 200, 403},
	"POST /api/customer":                               {"/api/customer", `{"id":` + entity("CUSTOMER", "one") + `,"title":"Mine"}`, 401, 404, 403},
	"GET /api/customer/:customerId":                    {"/api/customer/{one}", "", 401, 404, 403},
	"DELETE /api/customer/:customerId":                 {"/api/customer/{one}", "", 401, 404, 403},
	"GET /api/customer/:customerId/shortInfo":          {"/api/customer/{one}/shortInfo", "", 401, 404, 403},
	"GET /api/customer/:customerId/title":              {"/api/customer/{one}/title", "", 401, 404, 403},
	"GET /api/customer/:customerId/users":              {"/api/customer/{one}/users" + list, "", 401, 404, 403},
	"GET /api/customer/:customerId/devices":            {"/api/customer/{one}/devices" + list, "", 401, 404, 403},
	"GET /api/customer/:customerId/deviceInfos":        {"/api/customer/{one}/deviceInfos" + list, "", 401, 404, 403},
	"GET /api/customer/:customerId/dashboards":         {"/api/customer/{one}/dashboards" + list, "", 401, 404, 403},
	"GET /api/customers":                               {"/api/customers" + list, "", 401, 200, 403},
	"GET /api/tenant/customers":                        {"/api/tenant/customers?customerTitle=One", "", 401, 404, 403},

	"POST /api/user":                                {"/api/user", `{"id":` + entity("USER", "user") + `,"email":"mine@example.org","authority":"CUSTOMER_USER"}`, 401, 404, 403},
	"GET /api/user/:userId":                         {"/api/user/{user}", "", 401, 404, 403},
	"DELETE /api/user/:userId":                      {"/api/user/{user}", "", 401, 404, 403},
	"GET /api/user/:userId/activationLink":          {"/api/user/{user}/activationLink", "", 401, 404, 403},
	"GET /api/user/:userId/token":                   {"/api/user/{user}/token", "", 401, 404, 403},
	"POST /api/user/:userId/userCredentialsEnabled": {"/api/user/{user}/userCredentialsEnabled?userCredentialsEnabled=false", "", 401, 404, 403},
	"GET /api/user/:userId/sessions":                {"/api/user/{user}/sessions", "", 401, 404, 403},
	"DELETE /api/user/:userId/sessions":             {"/api/user/{user}/sessions", "", 401, 404, 403},
	"GET /api/auth/sessions":                        {"/api/auth/sessions", "", 401, 200, 200},
	"DELETE /api/auth/sessions/:sessionId":          {"/api/auth/sessions/{session}", "", 401, 404, 404},
	"GET /api/tokens":                               {"/api/tokens" + list, "", 401, 200, 403},
	"POST /api/tokens":                              {"/api/tokens", `{"name":"x","scopes":["rpc"],"entities":["{owned}"]}`, 401, 400, 403},
	"DELETE /api/tokens":                            {"/api/tokens", "", 401, 200, 403},
	"GET /api/tokens/:tokenId":                      {"/api/tokens/{token}", "", 401, 404, 403},
	"DELETE /api/tokens/:tokenId":                   {"/api/tokens/{token}", "", 401, 404, 403},
	"POST /api/tokens/:tokenId/rotate":              {"/api/tokens/{token}/rotate", "", 401, 404, 403},
	"POST /api/apiKey":                              {"/api/apiKey", `{"userId":` + entity("USER", "user") + `,"description":"x"}`, 401, 404, 403},
	"GET /api/apiKeys/:userId":                      {"/api/apiKeys/{user}" + list, "", 401, 404, 403},
	"PUT /api/apiKey/:apiKeyId/description":         {"/api/apiKey/{key}/description", "theirs", 401, 404, 403},
	"PUT /api/apiKey/:apiKeyId/enabled/:enabled":    {"/api/apiKey/{key}/enabled/false", "", 401, 404, 403},
	"DELETE /api/apiKey/:apiKeyId":                  {"/api/apiKey/{key}", "", 401, 404, 403},
	"GET /api/users":                                {"/api/users" + list, "", 401, 200, 200},

	"POST /api/device":                                {"/api/device", `{"id":` + entity("DEVICE", "owned") + `,"name":"mine"}`, 401, 404, 403},
	"POST /api/device-with-credentials":               {"/api/device-with-credentials", `{"device":{"id":` + entity("DEVICE", "owned") + `,"name":"mine"},"credentials":{"credentialsType":"ACCESS_TOKEN","credentialsId":"mine"}}`, 401, 404, 403},
	"GET /api/device/:deviceId":                       {"/api/device/{owned}", "", 401, 404, 403},
	"DELETE /api/device/:deviceId":                    {"/api/device/{owned}", "", 401, 404, 403},
	"GET /api/device/info/:deviceId":                  {"/api/device/info/{owned}", "", 401, 404, 403},
	"GET /api/device/types":                           {"/api/device/types", "", 401, 200, 200},
	"GET /api/device-connectivity/:deviceId":          {"/api/device-connectivity/{owned}", "", 401, 404, 403},
	"GET /api/tenant/devices":                         {"/api/tenant/devices" + list, "", 401, 200, 403},
	"GET /api/tenant/device":                          {"/api/tenant/device?deviceName=owned", "", 401, 404, 403},
	"GET /api/tenant/deviceInfos":                     {"/api/tenant/deviceInfos" + list, "", 401, 200, 403},
	"GET /api/devices":                                {"/api/devices?deviceIds={owned},{free}", "", 401, 200, 200},
	"GET /api/devices/list":                           {"/api/devices/list?deviceIds={owned},{free}", "", 401, 200, 200},
	"DELETE /api/customer/device/:deviceId":           {"/api/customer/device/{owned}", "", 401, 404, 403},
	"POST /api/customer/public/device/:deviceId":      {"/api/customer/public/device/{owned}", "", 401, 404, 403},
	"POST /api/customer/:customerId/device/:deviceId": {"/api/customer/{one}/device/{owned}", "", 401, 404, 403},
	"GET /api/device/:deviceId/credentials":           {"/api/device/{owned}/credentials", "", 401, 404, 403},
	"POST /api/device/credentials":                    {"/api/device/credentials", `{"deviceId":` + entity("DEVICE", "owned") + `,"credentialsType":"ACCESS_TOKEN","credentialsId":"mine"}`, 401, 404, 403},

	"POST /api/deviceProfile":                          {"/api/deviceProfile", `{"id":` + entity("DEVICE_PROFILE", "profile") + `,"name":"mine"}`, 401, 404, 403},
	"GET /api/deviceProfile/:deviceProfileId":          {"/api/deviceProfile/{profile}", "", 401, 404, 200},
	"DELETE /api/deviceProfile/:deviceProfileId":       {"/api/deviceProfile/{profile}", "", 401, 404, 403},
	"POST /api/deviceProfile/:deviceProfileId/default": {"/api/deviceProfile/{profile}/default", "", 401, 404, 403},
	"GET /api/deviceProfileInfo/:deviceProfileId":      {"/api/deviceProfileInfo/{profile}", "", 401, 404, 200},
	"GET /api/deviceProfileInfo/default":               {"/api/deviceProfileInfo/default", "", 401, 200, 200},
	"GET /api/deviceProfile/devices/keys/timeseries":   {"/api/deviceProfile/devices/keys/timeseries?deviceProfileId={profile}", "", 401, 404, 403},
	"GET /api/deviceProfile/devices/keys/attributes":   {"/api/deviceProfile/devices/keys/attributes", "", 401, 200, 403},
	"GET /api/deviceProfiles":                          {"/api/deviceProfiles" + list, "", 401, 200, 403},
	"GET /api/deviceProfileInfos":                      {"/api/deviceProfileInfos" + list, "", 401, 200, 200},

	"POST /api/asset":                                {"/api/asset", `{"id":` + entity("ASSET", "asset") + `,"name":"mine"}`, 401, 404, 403},
	"GET /api/asset/:assetId":                        {"/api/asset/{asset}", "", 401, 404, 403},
	"DELETE /api/asset/:assetId":                     {"/api/asset/{asset}", "", 401, 404, 403},
	"GET /api/asset/info/:assetId":                   {"/api/asset/info/{asset}", "", 401, 404, 403},
	"GET /api/asset/types":                           {"/api/asset/types", "", 401, 200, 200},
	"GET /api/tenant/assets":                         {"/api/tenant/assets" + list, "", 401, 200, 403},
	"GET /api/tenant/asset":                          {"/api/tenant/asset?assetName=building", "", 401, 404, 403},
	"GET /api/tenant/assetInfos":                     {"/api/tenant/assetInfos" + list, "", 401, 200, 403},
	"GET /api/customer/:customerId/assets":           {"/api/customer/{one}/assets" + list, "", 401, 404, 403},
	"GET /api/customer/:customerId/assetInfos":       {"/api/customer/{one}/assetInfos" + list, "", 401, 404, 403},
	"GET /api/assets":                                {"/api/assets?assetIds={asset}", "", 401, 200, 200},
	"POST /api/customer/:customerId/asset/:assetId":  {"/api/customer/{one}/asset/{asset}", "", 401, 404, 403},
	"DELETE /api/customer/asset/:assetId":            {"/api/customer/asset/{asset}", "", 401, 404, 403},
	"POST /api/customer/public/asset/:assetId":       {"/api/customer/public/asset/{asset}", "", 401, 404, 403},
	"POST /api/assetProfile":                         {"/api/assetProfile", `{"id":` + entity("ASSET_PROFILE", "assetProfile") + `,"name":"mine"}`, 401, 404, 403},
	"GET /api/assetProfile/:assetProfileId":          {"/api/assetProfile/{assetProfile}", "", 401, 404, 200},
	"DELETE /api/assetProfile/:assetProfileId":       {"/api/assetProfile/{assetProfile}", "", 401, 404, 403},
	"POST /api/assetProfile/:assetProfileId/default": {"/api/assetProfile/{assetProfile}/default", "", 401, 404, 403},
	"GET /api/assetProfiles":                         {"/api/assetProfiles" + list, "", 401, 200, 403},
	"GET /api/assetProfileInfos":                     {"/api/assetProfileInfos" + list, "", 401, 200, 200},
	"GET /api/assetProfileInfo/:assetProfileId":      {"/api/assetProfileInfo/{assetProfile}", "", 401, 404, 200},
	"GET /api/assetProfileInfo/default":              {"/api/assetProfileInfo/default", "", 401, 200, 200},

	"POST /api/entityView":                                    {"/api/entityView", `{"id":` + entity("ENTITY_VIEW", "view") + `,"name":"mine","entityId":` + entity("DEVICE", "owned") + `}`, 401, 404, 403},
	"GET /api/entityView/:entityViewId":                       {"/api/entityView/{view}", "", 401, 404, 403},
	"DELETE /api/entityView/:entityViewId":                    {"/api/entityView/{view}", "", 401, 404, 403},
	"GET /api/entityView/info/:entityViewId":                  {"/api/entityView/info/{view}", "", 401, 404, 403},
	"GET /api/entityViews":                                    {"/api/entityViews?entityViewIds={view}", "", 401, 200, 200},
	"GET /api/entityView/types":                               {"/api/entityView/types", "", 401, 200, 200},
	"GET /api/tenant/entityViews":                             {"/api/tenant/entityViews" + list, "", 401, 200, 403},
	"GET /api/tenant/entityView":                              {"/api/tenant/entityView?entityViewName=view", "", 401, 404, 403},
	"GET /api/tenant/entityViewInfos":                         {"/api/tenant/entityViewInfos" + list, "", 401, 200, 403},
	"GET /api/customer/:customerId/entityViews":               {"/api/customer/{one}/entityViews" + list, "", 401, 404, 403},
	"GET /api/customer/:customerId/entityViewInfos":           {"/api/customer/{one}/entityViewInfos" + list, "", 401, 404, 403},
	"POST /api/customer/:customerId/entityView/:entityViewId": {"/api/customer/{one}/entityView/{view}", "", 401, 404, 403},
	"DELETE /api/customer/entityView/:entityViewId":           {"/api/customer/entityView/{view}", "", 401, 404, 403},
	"POST /api/customer/public/entityView/:entityViewId":      {"/api/customer/public/entityView/{view}", "", 401, 404, 403},

	"GET /api/audit/logs":                              {"/api/audit/logs" + list, "", 401, 200, 403},
	"GET /api/audit/logs/customer/:customerId":         {"/api/audit/logs/customer/{one}" + list, "", 401, 200, 403},
	"GET /api/audit/logs/user/:userId":                 {"/api/audit/logs/user/{user}" + list, "", 401, 200, 403},
	"GET /api/audit/logs/entity/:entityType/:entityId": {"/api/audit/logs/entity/DEVICE/{owned}" + list, "", 401, 200, 403},

	"POST /api/relation":       {"/api/relation", `{"from":` + entity("ASSET", "asset") + `,"to":` + entity("DEVICE", "owned") + `,"type":"x"}`, 401, 404, 403},
	"DELETE /api/relation":     {"/api/relation?fromId={asset}&fromType=ASSET&toId={owned}&toType=DEVICE&relationType=x", "", 401, 404, 403},
	"GET /api/relations":       {"/api/relations?fromId={asset}&fromType=ASSET", "", 401, 404, 403},
	"GET /api/relations/info":  {"/api/relations/info?toId={owned}&toType=DEVICE", "", 401, 404, 403},
	"POST /api/relations":      {"/api/relations", `{"parameters":{"rootId":"{asset}","rootType":"ASSET"}}`, 401, 404, 403},
	"POST /api/relations/info": {"/api/relations/info", `{"parameters":{"rootId":"{asset}","rootType":"ASSET"}}`, 401, 404, 403},

	"POST /api/dashboard":                                     {"/api/dashboard", `{"id":` + entity("DASHBOARD", "dashboard") + `,"title":"mine"}`, 401, 404, 403},
	"GET /api/dashboard/:dashboardId":                         {"/api/dashboard/{dashboard}", "", 401, 404, 403},
	"DELETE /api/dashboard/:dashboardId":                      {"/api/dashboard/{dashboard}", "", 401, 404, 403},
	"GET /api/dashboard/info/:dashboardId":                    {"/api/dashboard/info/{dashboard}", "", 401, 404, 403},
	"GET /api/tenant/dashboards":                              {"/api/tenant/dashboards" + list, "", 401, 200, 403},
	"POST /api/customer/:customerId/dashboard/:dashboardId":   {"/api/customer/{one}/dashboard/{dashboard}", "", 401, 404, 403},
	"DELETE /api/customer/:customerId/dashboard/:dashboardId": {"/api/customer/{one}/dashboard/{dashboard}", "", 401, 404, 403},

	"POST /api/customer/public/dashboard/:dashboardId":   {"/api/customer/public/dashboard/{dashboard}", "", 401, 404, 403},
	"DELETE /api/customer/public/dashboard/:dashboardId": {"/api/customer/public/dashboard/{dashboard}", "", 401, 404, 403},

	"GET /api/dashboard/serverTime":                    {"/api/dashboard/serverTime", "", 401, 200, 200},
	"GET /api/dashboard/maxDatapointsLimit":            {"/api/dashboard/maxDatapointsLimit", "", 401, 200, 200},
	"GET /api/events/:entityType/:entityId/:eventType": {"/api/events/DEVICE/{owned}/LC_EVENT" + list, "", 401, 404, 403},
	"GET /api/queues":                                  {"/api/queues" + list + "&serviceType=TB_RULE_ENGINE", "", 401, 200, 403},
	"GET /api/dashboard/home":                          {"/api/dashboard/home", "", 401, 200, 200},
	"GET /api/dashboard/home/info":                     {"/api/dashboard/home/info", "", 401, 200, 200},
	"GET /api/tenant/dashboard/home/info":              {"/api/tenant/dashboard/home/info", "", 401, 200, 403},
	"POST /api/tenant/dashboard/home/info":             {"/api/tenant/dashboard/home/info", `{"dashboardId":` + entity("DASHBOARD", "dashboard") + `,"hideDashboardToolbar":true}`, 401, 404, 403},
	"POST /api/alarmsQuery/find":                       {"/api/alarmsQuery/find", allDevices, 401, 200, 200},
	"POST /api/alarmsQuery/count":                      {"/api/alarmsQuery/count", allDevices, 401, 200, 200},
	"GET /api/limits":                                  {"/api/limits?deviceId={owned}", "", 401, 404, 403},
	"GET /api/system/params":                           {"/api/system/params", "", 401, 200, 200},
	"GET /api/system/losses":                           {"/api/system/losses", "", 401, 403, 403},
	"GET /api/system/backup":                           {"/api/system/backup", "", 401, 403, 403},
	"POST /api/system/backup":                          {"/api/system/backup", "{}", 401, 403, 403},

	"GET " + series + "/keys/timeseries":                  {device + "/keys/timeseries", "", 401, 404, 403},
	"GET " + series + "/values/timeseries":                {device + "/values/timeseries", "", 401, 404, 403},
	"GET " + series + "/values/timeseries/history":        {device + "/values/timeseries/history?startTs=0&endTs=9&keys=t", "", 401, 404, 403},
	"GET " + series + "/values/timeseries/page":           {device + "/values/timeseries/page?startTs=0&endTs=9&keys=t", "", 401, 404, 403},
	"GET " + series + "/values/timeseries/revisions":      {device + "/values/timeseries/revisions?startTs=0&endTs=9&keys=t", "", 401, 404, 403},
	"GET " + series + "/values/attributes/:scope/history": {device + "/values/attributes/SERVER_SCOPE/history?startTs=0&endTs=9&keys=t", "", 401, 404, 403},
	"POST " + series + "/timeseries/:scope":               {device + "/timeseries/ANY", `{"t":1}`, 401, 404, 403},
	"POST " + series + "/timeseries/:scope/:ttl":          {device + "/timeseries/ANY/60", `{"t":1}`, 401, 404, 403},
	"DELETE " + series + "/timeseries/delete":             {device + "/timeseries/delete?keys=t&deleteAllDataForKeys=true", "", 401, 404, 403},
	"GET " + series + "/keys/attributes":                  {device + "/keys/attributes", "", 401, 404, 403},
	"GET " + series + "/keys/attributes/:scope":           {device + "/keys/attributes/SERVER_SCOPE", "", 401, 404, 403},
	"GET " + series + "/values/attributes":                {device + "/values/attributes", "", 401, 404, 403},
	"GET " + series + "/values/attributes/:scope":         {device + "/values/attributes/SERVER_SCOPE", "", 401, 404, 403},
	"POST " + series + "/:scope":                          {device + "/SERVER_SCOPE", `{"k":1}`, 401, 404, 403},
	"DELETE " + series + "/:scope":                        {device + "/SERVER_SCOPE?keys=k", "", 401, 404, 403},
	"POST " + series + "/attributes/:scope":               {device + "/attributes/SHARED_SCOPE", `{"k":1}`, 401, 404, 403},
	"POST /api/plugins/telemetry/:deviceId/:scope":        {"/api/plugins/telemetry/{owned}/SERVER_SCOPE", `{"k":1}`, 401, 404, 403},
	"DELETE /api/plugins/telemetry/:deviceId/:scope":      {"/api/plugins/telemetry/{owned}/SERVER_SCOPE?keys=k", "", 401, 404, 403},

	"POST /api/entitiesQuery/find":      {"/api/entitiesQuery/find", allDevices, 401, 200, 200},
	"POST /api/entitiesQuery/count":     {"/api/entitiesQuery/count", allDevices, 401, 200, 200},
	"POST /api/entitiesQuery/find/keys": {"/api/entitiesQuery/find/keys", allDevices, 401, 200, 200},

	// A device's token is all the right there is; user tokens change nothing.
	"POST /api/v1/:deviceToken/telemetry":  {"/api/v1/guess/telemetry", `{"t":1}`, 401, 401, 401},
	"POST /api/v1/:deviceToken/attributes": {"/api/v1/guess/attributes", `{"k":1}`, 401, 401, 401},
	"GET /api/v1/:deviceToken/attributes":  {"/api/v1/guess/attributes", "", 401, 401, 401},

	// Sockets authenticate by themselves, operations are open.
	"GET /api/live":      {"/api/live?cmds=[]", "", 401, 200, 200},
	"GET /api/ws":        {"/api/ws", "", 426, 426, 426},
	"GET /api/ws/*":      {"/api/ws/plugins/telemetry", "", 426, 426, 426},
	"GET /healthz":       {"/healthz", "", 200, 200, 200},
	"GET /readyz":        {"/readyz", "", 200, 200, 200},
	"GET /metrics":       {"/metrics", "", 200, 200, 200},
	"GET /openapi.yaml":  {"/openapi.yaml", "", 200, 200, 200},
	"GET /asyncapi.yaml": {"/asyncapi.yaml", "", 200, 200, 200},
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
	return strings.NewReplacer("{key}", key.ID.String(), "{session}", sessions[0].ID.String(), "{token}", tokens.Info.ID.String(), "{a}", w.a.String(), "{one}", w.one.String(), "{user}", w.userOne.String(),
		"{owned}", w.owned.String(), "{free}", w.free.String(), "{profile}", profile.ProfileID.String(),
		"{dashboard}", w.dashboard.String(), "{tenantProfile}", standard.ID.String(), "{asset}", w.asset.String(), "{view}", w.view.String(), "{assetProfile}", asset.ProfileID.String())
}

// Every route is held against the same three strangers, and a route without a row fails:
// whoever adds one has to say what strangers get.
func TestStrangersSeeNothing(t *testing.T) {
	w := newWorld(t)
	names := w.names()
	before := w.call("GET", names.Replace("/api/device/{owned}"), w.adminA, "").is(200).Body.String()
	secrets := map[string][]string{
		"tenant": strings.Fields(names.Replace("{a} {one} {user} {owned} {free} {profile} {dashboard} {asset} {assetProfile} {view} {token} {key} {session}")),
		"user":   strings.Fields(names.Replace("{one} {user} {owned} {free} {dashboard} {asset} {view}")),
	}
	seen := map[string]bool{}
	for _, r := range router(w.handler).Routes() {
		route := r.Method + " " + r.Path
		seen[route] = true
		row, ok := rows[route]
		if !ok {
			t.Errorf("%s has no row: say what strangers get from it", route)
			continue
		}
		f := func(who, email string, want int) {
			t.Helper()
			token := ""
			if email != "" {
				token = w.login(email).Token // logging out is one of the routes
			}
			got := w.call(r.Method, names.Replace(row.target), token, names.Replace(row.body))
			if got.Code != want {
				t.Errorf("%s as %s: %d %s, want %d", route, who, got.Code, got.Body, want)
			}
			if want != 200 {
				return
			}
			hidden := secrets[who]
			if strings.HasPrefix(route, "GET /api/audit/") {
				// The log repeats what the stranger has just asked for: no record may be A's.
				hidden = []string{names.Replace(`"tenantId":{"entityType":"TENANT","id":"{a}"}`), "a@example.org", "one@example.org"}
			}
			for _, secret := range hidden {
				if strings.Contains(got.Body.String(), secret) {
					t.Errorf("%s as %s shows %s: %s", route, who, secret, got.Body)
				}
			}
		}
		f("nobody", "", row.nobody)
		f("tenant", "b@example.org", row.tenant)
		f("user", "two@example.org", row.user)
	}
	for route := range rows {
		if !seen[route] {
			t.Errorf("%s has a row and no route", route)
		}
	}
	w.call("GET", names.Replace("/api/device/{owned}"), w.adminA, "").is(200, before)
}

// System administrators manage tenants and stay out of what tenants own.
func TestSystemAdministratorsSeeNoTelemetry(t *testing.T) {
	w := newWorld(t)
	path := "/api/plugins/telemetry/DEVICE/" + w.owned.String() + "/values/timeseries"
	w.call("GET", path, w.system, "").text(403, "System administrator is not allowed to perform this operation!")
	w.call("GET", "/api/device/"+w.owned.String(), w.system, "").
		fails(403, 20, "You don't have permission to perform this operation!")
}

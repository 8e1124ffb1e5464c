// Package deps holds the rule of who may import whom, and the test that keeps it.
//
// Data enters at a transport, falls through dialect, ingest and tsdb to the disk, and
// comes back up through subscriptions or api. Nothing imports upward, and a third-party
// library is met in one place, so it can be replaced there.
package deps

// Ours lists every package of this module with the packages of ours it may import. A
// trailing "/..." stands for a package and everything below it; "*" means everything.
var Ours = map[string][]string{
	".":                          {},
	"model":                      {},
	"tsdb":                       {"model", "tsdb/internal/..."},
	"tsdb/internal/...":          {"model", "tsdb/internal/..."},
	"registry":                   {"model"},
	"auth":                       {"model"},
	"dialect/thingsboard":        {"model"},
	"ingest":                     {"model"},
	"ratelimit":                  {"model"},
	"entityquery":                {"model"},
	"views":                      {"model"},
	"mail":                       {"model"},
	"mail/mailtest":              {},
	"subscriptions/internal/...": {"model", "subscriptions"},
	"subscriptions":              {"model"},
	"subscriptions/ws":           {"model", "subscriptions", "views", "ratelimit", "dialect/thingsboard"},
	"api":                        {".", "model", "auth", "entityquery", "views", "dialect/thingsboard", "api/..."},
	"api/...":                    {"model"},
	"web":                        {},
	"importer":                   {"model", "dialect/thingsboard"},
	"demo":                       {"model", "importer"},
	"app":                        {"*"},
	"client":                     {"model"},
	"cmd/tidewire":               {"model", "app", "client", "importer", "mail"},
	"bench":                      {"*"},
	"bench/...":                  {"*"},
	"e2e":                        {"*"},
	"internal/deps":              {},
	"internal/docs":              {},
	"internal/wstest":            {},
	"internal/spectest":          {"."},
}

// Theirs lists the libraries that are met in named places only, with the reason.
var Theirs = map[string]Library{
	"github.com/labstack/echo/v4":                    {[]string{"api", "api/..."}, "handlers implement the generated interface"},
	"github.com/oapi-codegen/runtime":                {[]string{"api", "api/...", "client"}, "generated code needs it"},
	"github.com/cockroachdb/pebble/v2":               {[]string{"tsdb", "tsdb/internal/...", "bench", "bench/..."}, "the store of the engine"},
	"github.com/VictoriaMetrics/VictoriaMetrics/lib": {[]string{"tsdb/internal/codec"}, "it registers global flags and panics on misuse: one package checks its inputs"},
	"database/sql":                             {[]string{"registry"}, "SQL has one owner"},
	"modernc.org/sqlite":                       {[]string{"registry"}, "SQL has one owner"},
	"github.com/jackc/pgx/v5":                  {[]string{"registry", "bench", "bench/..."}, "SQL has one owner"},
	"github.com/pressly/goose/v3":              {[]string{"registry"}, "SQL has one owner"},
	"github.com/coder/websocket":               {[]string{"subscriptions/ws", "client", "bench", "bench/..."}, "the hub knows no sockets"},
	"github.com/golang-jwt/jwt/v5":             {[]string{"auth"}, "tokens are verified in one place"},
	"github.com/oasdiff/yaml":                  {[]string{"internal/spectest"}, "documents are read by tests"},
	"github.com/santhosh-tekuri/jsonschema/v6": {[]string{"internal/spectest"}, "schemas are for tests"},
	"github.com/shirou/gopsutil/v4":            {[]string{"demo", "bench", "bench/..."}, "the machine's own figures"},
	"github.com/alecthomas/kong":               {[]string{"cmd/tidewire"}, "flags are read in main, never below it"},
}

// A Library says where a third-party library may be imported, and why only there.
type Library struct {
	In  []string
	Why string
}

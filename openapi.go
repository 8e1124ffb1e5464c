// Package tidewire embeds the description of the HTTP API. It stands at the root because an
// embed directive cannot reach upward; everything else lives below.
package tidewire

import _ "embed"

// OpenAPI is openapi.yaml: the source of the server's routes and types, of the web app's
// client, and what GET /openapi.yaml serves.
//
//go:embed openapi.yaml
var OpenAPI []byte

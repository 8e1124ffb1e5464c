// Package tidewire embeds the descriptions of the HTTP API and of the live one. It stands at the
// root because an embed directive cannot reach upward; everything else lives below.
package tidewire

import _ "embed"

// OpenAPI is openapi.yaml: the source of the server's routes and types, of the web app's
// client, and what GET /openapi.yaml serves.
//
//go:embed openapi.yaml
var OpenAPI []byte

// AsyncAPI is asyncapi.yaml, the messages of the WebSocket and of server-sent events: what tests
// hold frames against, and what GET /asyncapi.yaml serves.
//
//go:embed asyncapi.yaml
var AsyncAPI []byte

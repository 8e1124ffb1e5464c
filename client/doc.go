// Package client talks to a Tidewire server from Go.
//
//	c, err := client.Open("https://tide.example.org", client.Token(os.Getenv("TIDEWIRE_TOKEN")), client.Options{})
//	…
//	page, err := c.GetTenantDevicesWithResponse(ctx, &client.GetTenantDevicesParams{PageSize: 100})
//	if failure, ok := errors.AsType[*client.Error](err); ok && failure.Status == http.StatusForbidden { … }
//
// The methods of [ClientWithResponses], their parameters and entities are generated from
// openapi.yaml, whose words are their comments. The method with the operation's bare name
// returns the answer unread, for what is streamed: CSV, lines of JSON, histories that need not
// fit into memory. Its caller closes the body.
//
// [Tail] follows series live, over a WebSocket that it opens again and goes on where it broke.
//
// # Promises
//
//   - Whatever is no success is an [*Error], of every method.
//   - A session of [Login] is renewed when its token expires, and opened again when it ended.
//   - A request with a body that cannot be read twice is never sent twice. Nothing else is
//     repeated: who may repeat what is the caller's to say.
//
// Times are milliseconds since 1970 UTC. Values arrive as JSON text, so that numbers keep all
// their digits. Everything here is safe for concurrent use.
package client

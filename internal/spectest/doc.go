// Package spectest holds what tests send and receive against openapi.yaml.
//
// [Handler] stands around a server in the test's own process, [Transport] around a client of
// one in another. Both let everything pass and report to the test:
//
//   - an answer of a route below /api that the document does not have, unless it is a refusal;
//   - a status the operation does not name. Its default answer stands only for what any request
//     may meet: too large, too many, and failures of the server;
//   - a content type, a missing header or a body that breaks the schema, and a member that no
//     schema describes;
//   - a request that was answered with success and is not valid: a parameter the document does
//     not have, or a parameter or body that breaks its schema. Then the document asks for more
//     than the server does, or the test sends what nobody may rely on.
//
// Messages of sockets and events are held against asyncapi.yaml by [Frame]; here only their
// status and content type count.
//
// It is for tests only, and safe for concurrent use.
package spectest

// Package e2e tests the real binary from outside: over HTTP, WebSocket and its command
// line, with signals, and with a real browser.
package e2e

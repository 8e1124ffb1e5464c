package app

import "github.com/tidewire/tidewire/registry"

// RotateKeys gives the data directory dir a new key for tokens, which the server uses from its
// next start on. What earlier keys signed stays good until it expires, unless forget says that
// everybody logs in again.
func RotateKeys(dir string, forget bool) error { return registry.RotateTokens(dir, nil, forget) }

package main

import (
	"fmt"

	"github.com/tidewire/tidewire/app"
)

type keysCmd struct {
	Rotate rotateKeysCmd `cmd:"" help:"Replace the key that signs logins. The server takes it at its next start."`
}

type rotateKeysCmd struct {
	Data   string `help:"Data directory." default:"data" type:"path"`
	Forget bool   `help:"Accept nothing that earlier keys signed: everybody logs in again. For a key that was stolen."`
}

// Run replaces the key.
func (c *rotateKeysCmd) Run(s *streams) error {
	if err := app.RotateKeys(c.Data, c.Forget); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "The key is replaced; start the server again to use it.")
	return nil
}

//go:build !kill

package app

import (
	"context"

	"github.com/tidewire/tidewire/tsdb"
)

// rehearsed returns o: only a build with the tag kill rehearses its death.
func rehearsed(o tsdb.Options) tsdb.Options { return o }

// chores returns what a rehearsal does beside serving, or nil.
func (p *parts) chores(Config) func(context.Context) error { return nil }

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/tidewire/tidewire/app"
)

type backupCmd struct {
	To   string `help:"Directory that holds backups; each one gets a directory in it. With --server it may be left out: the server's --backup-dir." type:"path"`
	Data string `help:"Data directory of a stopped server." default:"data" type:"path"`

	Server   string `help:"URL of a running server: it writes the backup itself, below its --backup-dir." placeholder:"URL"`
	Username string `help:"E-mail of a system administrator; also TIDEWIRE_USERNAME."`
	Password string `help:"Password; better in TIDEWIRE_PASSWORD or TIDEWIRE_PASSWORD_FILE." secret:""`
}

// Validate implements kong's check of a parsed command.
func (c *backupCmd) Validate() error {
	if c.Server == "" && c.To == "" {
		return errors.New("where to? Name a directory with --to, or a running server with --server")
	}
	if c.Server != "" && (c.Username == "" || c.Password == "") {
		return errors.New("who asks the server? Set TIDEWIRE_USERNAME and TIDEWIRE_PASSWORD, or TIDEWIRE_PASSWORD_FILE, to a system administrator's")
	}
	return nil
}

// Run backs up and prints where to.
func (c *backupCmd) Run(ctx context.Context, s *streams) error {
	if c.Server == "" {
		err := app.Backup(ctx, c.Data, c.To, s.out)
		if e, ok := errors.AsType[*app.ExitError](err); ok && e.Code == app.ExitInUse {
			e.Err = fmt.Errorf("%w; or ask the server that does with --server", e.Err)
		}
		return err
	}
	b, err := app.RemoteBackup(ctx, c.Server, c.Username, c.Password, c.To)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s: position %d, %d files, %d bytes copied, %d shared with the backup before\n",
		filepath.Join(c.To, b.Name), b.Position, b.Files, b.Copied, b.Shared)
	return err
}

type restoreCmd struct {
	From string `help:"The backup: a directory with a manifest.json." required:"" type:"existingdir"`
	Data string `help:"Data directory to make; it must not exist, or be empty." required:"" type:"path"`
}

// Run restores and prints what.
func (c *restoreCmd) Run(ctx context.Context, s *streams) error {
	return app.Restore(ctx, c.From, c.Data, s.out)
}

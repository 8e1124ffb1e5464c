package app

import (
	"context"
	"fmt"
	"time"

	"github.com/tidewire/tidewire/client"
)

// RemoteBackup asks the server at base for a backup into to, as its system administrator, and
// waits for its end.
func RemoteBackup(ctx context.Context, base, username, password, to string) (*client.Backup, error) {
	c, err := client.Open(base, client.Login(username, password), client.Options{})
	if err != nil {
		return nil, err
	}
	begun, err := c.StartBackupWithResponse(ctx, client.BackupRequest{To: &to})
	if err != nil {
		return nil, fmt.Errorf("ask for a backup: %w", err)
	}
	status := begun.JSON200
	for tick := time.NewTicker(200 * time.Millisecond); status.Running; {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		now, err := c.GetBackupWithResponse(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask how the backup goes: %w", err)
		}
		status = now.JSON200
	}
	if status.Error != "" || status.Last == nil {
		return nil, fmt.Errorf("the server could not back up: %s", status.Error)
	}
	return status.Last, nil
}

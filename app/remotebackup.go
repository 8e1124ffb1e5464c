package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tidewire/tidewire/model"
)

// RemoteBackup asks the server at base for a backup into to, as its system administrator, and
// waits for its end.
func RemoteBackup(ctx context.Context, base, username, password, to string) (*model.Backup, error) {
	c := remote{base: strings.TrimSuffix(base, "/"), client: &http.Client{Timeout: time.Minute}}
	var pair struct{ Token string }
	if err := c.call(ctx, http.MethodPost, "/api/auth/login", map[string]string{"username": username, "password": password}, &pair); err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	c.token = pair.Token
	var status model.BackupStatus
	if err := c.call(ctx, http.MethodPost, "/api/system/backup", map[string]string{"to": to}, &status); err != nil {
		return nil, fmt.Errorf("ask for a backup: %w", err)
	}
	for tick := time.NewTicker(200 * time.Millisecond); status.Running; {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		if err := c.call(ctx, http.MethodGet, "/api/system/backup", nil, &status); err != nil {
			return nil, fmt.Errorf("ask how the backup goes: %w", err)
		}
	}
	if status.Error != "" || status.Last == nil {
		return nil, fmt.Errorf("the server could not back up: %s", status.Error)
	}
	return status.Last, nil
}

// A remote is a server that is asked.
type remote struct {
	base, token string
	client      *http.Client
}

func (c *remote) call(ctx context.Context, method, path string, body, answer any) (err error) {
	b := []byte(nil)
	if body != nil {
		if b, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("X-Authorization", "Bearer "+c.token)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if b, err = io.ReadAll(io.LimitReader(res.Body, 1<<20)); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		var told struct{ Message string }
		if json.Unmarshal(b, &told) != nil || told.Message == "" {
			told.Message = strings.TrimSpace(string(b))
		}
		return fmt.Errorf("the server answered %d: %s", res.StatusCode, told.Message)
	}
	return json.Unmarshal(b, answer)
}

package importer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// A Remote is a Sink that writes to a running server as a tenant administrator, who alone
// may find devices by name. Devices that do not exist are created. It is not safe for
// concurrent use.
type Remote struct {
	base    string
	client  *http.Client
	wait    func(ctx context.Context, d time.Duration) error
	login   Login
	token   string
	profile string
	devices map[string]string // name → id
	refused map[string]error  // devices the server does not want to make
	reached bool              // the server has answered before
	body    []byte
}

// A Login is who imports.
type Login struct{ Username, Password string }

// RemoteOptions tune a Remote. Zero fields mean what they say.
type RemoteOptions struct {
	Client *http.Client // nil means one with a timeout of a minute
	// Profile is the device profile of devices it creates. Empty means "default".
	Profile string
	// Wait sleeps between attempts; nil means by the clock.
	Wait func(ctx context.Context, d time.Duration) error
}

// maxAttempts bounds how often a request is repeated when the server is overloaded or
// away: with pauses that double from half a second, about two minutes.
const maxAttempts = 8

// NewRemote logs in to the server at base, such as http://127.0.0.1:8080.
func NewRemote(ctx context.Context, base string, login Login, o RemoteOptions) (*Remote, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("server %q is not a URL such as http://127.0.0.1:8080", base)
	}
	r := &Remote{
		base: strings.TrimSuffix(base, "/"), login: login,
		client: o.Client, wait: o.Wait,
		profile: cmp.Or(o.Profile, "default"), devices: map[string]string{}, refused: map[string]error{},
	}
	if r.client == nil {
		r.client = &http.Client{Timeout: time.Minute}
	}
	if r.wait == nil {
		r.wait = sleep
	}
	return r, r.logIn(ctx)
}

func (r *Remote) logIn(ctx context.Context) error {
	var pair struct{ Token string }
	if err := r.json(ctx, http.MethodPost, "/api/auth/login", map[string]string{
		"username": r.login.Username, "password": r.login.Password,
	}, &pair); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	r.token = pair.Token
	return nil
}

// Write implements Sink.
func (r *Remote) Write(ctx context.Context, device string, set *model.WriteSet) error {
	id, err := r.deviceID(ctx, device)
	if err != nil {
		return err
	}
	r.body = appendRows(r.body[:0], set)
	_, err = r.do(ctx, http.MethodPost, "/api/plugins/telemetry/DEVICE/"+id+"/timeseries/ANY", r.body)
	return err
}

// deviceID finds the device by name, or creates it.
func (r *Remote) deviceID(ctx context.Context, name string) (string, error) {
	if id, ok := r.devices[name]; ok {
		return id, nil
	}
	if err, ok := r.refused[name]; ok {
		return "", err
	}
	var device struct{ ID struct{ ID string } }
	err := r.json(ctx, http.MethodGet, "/api/tenant/devices?deviceName="+url.QueryEscape(name), nil, &device)
	if status, ok := errors.AsType[*StatusError](err); ok && status.Status == http.StatusNotFound {
		err = r.json(ctx, http.MethodPost, "/api/device", map[string]string{"name": name, "type": r.profile}, &device)
	}
	if err != nil {
		err = fmt.Errorf("find or create device %q: %w", name, err)
		if isRefusal(err) {
			r.refused[name] = err
		}
		return "", err
	}
	r.devices[name] = device.ID.ID
	return device.ID.ID, nil
}

func (r *Remote) json(ctx context.Context, method, path string, body, answer any) error {
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
	}
	b, err := r.do(ctx, method, path, b)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("%s %s: the answer is not JSON: %w", method, path, err)
	}
	return nil
}

// A StatusError is an answer that refuses.
type StatusError struct {
	Status  int
	Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the server answered %d %s: %s", e.Status, http.StatusText(e.Status), e.Message)
}

// do sends a request, again after a pause while the server, once reached, is away or
// overloaded: nothing here is done twice by being sent twice. An expired token is renewed
// once.
func (r *Remote) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	pause := 500 * time.Millisecond
	for attempt, renewed := 1, false; ; attempt++ {
		answer, retryAfter, err := r.once(ctx, method, path, body)
		status, refused := errors.AsType[*StatusError](err)
		switch {
		case err == nil:
			return answer, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !r.reached:
			return nil, err // more likely a wrong address than a server that is away
		case refused && status.Status == http.StatusUnauthorized && r.token != "" && !renewed:
			renewed, r.token = true, ""
			if err := r.logIn(ctx); err != nil {
				return nil, err
			}
			continue
		case refused && status.Status != http.StatusServiceUnavailable && status.Status != http.StatusTooManyRequests,
			attempt == maxAttempts:
			return nil, err
		}
		if err := r.wait(ctx, max(pause, retryAfter)); err != nil {
			return nil, err
		}
		pause *= 2
	}
}

func (r *Remote) once(ctx context.Context, method, path string, body []byte) (answer []byte, retryAfter time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if r.token != "" {
		req.Header.Set("X-Authorization", "Bearer "+r.token)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("reach the server: %w", err)
	}
	r.reached = true
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return nil, 0, fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode == http.StatusOK {
		return b, 0, nil
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		retryAfter = time.Duration(min(seconds, 60)) * time.Second
	}
	message := strings.TrimSpace(string(b))
	var told struct{ Message string }
	if json.Unmarshal(b, &told) == nil && told.Message != "" {
		message = told.Message
	}
	return nil, retryAfter, &StatusError{Status: res.StatusCode, Message: message}
}

// appendRows writes the rows as an array of timed objects (contract thingsboard 4.1).
func appendRows(dst []byte, set *model.WriteSet) []byte {
	dst = append(dst, '[')
	cells := set.Cells
	for i, row := range set.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"ts":`...)
		dst = strconv.AppendInt(dst, row.TS, 10)
		dst = append(dst, `,"values":{`...)
		for j, c := range cells[:row.Cells] {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = thingsboard.AppendTyped(dst, model.String(set.Keys[c.Key]))
			dst = append(dst, ':')
			dst = thingsboard.AppendTyped(dst, c.Value)
		}
		cells = cells[row.Cells:]
		dst = append(dst, "}}"...)
	}
	return append(dst, ']')
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

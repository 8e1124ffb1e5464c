package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A livePeer is one of those whose live delivery is measured, and how to talk to it. Topics
// are devices, channels, or lists of connections, numbered from 0.
type livePeer struct {
	name   string
	server *server
	path   func(topic int) string
	// hello is the first message of a client that follows a topic; "" sends none.
	hello func(topic int) string
	// begun reports whether a frame is the one after which nothing is missed.
	begun func(payload []byte) bool
	// current, if set, is what that frame must show.
	current string
	// count returns how many updates a frame stands for, and how many of them it does not show
	// because newer ones superseded them.
	count func(payload []byte) (updates, merged int)
	// publish makes the request that publishes p.
	publish func(p publication) []byte
}

// A publication is one change: some points of one key, in one frame.
type publication struct {
	topic  int
	ts     int64
	points int
	value  string
}

// series returns the points as they stand in a frame of Tidewire, which is what the peers
// deliver too: frames of one length for all.
func (p *publication) series() string {
	var b strings.Builder
	b.WriteString(`"data":{"temperature":[`)
	for i := range p.points {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `[%d,%q]`, p.ts+int64(i), p.value)
	}
	fmt.Fprintf(&b, `]},"latestValues":{"temperature":%d}`, p.ts+int64(p.points-1))
	return b.String()
}

// liveTidewire starts the server with devices to follow.
func (b *bench) liveTidewire(ctx context.Context, name string, topics int, env ...string) (*livePeer, error) {
	dir := filepath.Join(b.dir, name)
	s, err := b.startServer(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	devices, s, err := b.withFleet(ctx, s, dir, topics, env...)
	if err != nil {
		return nil, err
	}
	token := strings.TrimSuffix(strings.TrimPrefix(s.admin, "X-Authorization: Bearer "), "\r\n")
	return &livePeer{
		name: "Tidewire", server: s,
		path: func(int) string { return "/api/ws" },
		hello: func(topic int) string {
			return fmt.Sprintf(`{"authCmd":{"cmdId":0,"token":%q},"cmds":[{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":%q,"scope":"LATEST_TELEMETRY","keys":"temperature"}]}`,
				token, devices[topic].id)
		},
		begun: func([]byte) bool { return true },
		count: func(payload []byte) (int, int) {
			merged := coalesced(payload)
			return 1 + merged, merged
		},
		publish: func(p publication) []byte {
			var body []byte
			for i := range p.points {
				body = fmt.Appendf(body, `,{"ts":%d,"values":{"temperature":%s}}`, p.ts+int64(i), p.json())
			}
			body[0] = '['
			return request("POST", "/api/v1/"+devices[p.topic].token+"/telemetry", "", append(body, ']'))
		},
	}, nil
}

// json returns the value as JSON: a number, or else a text.
func (p *publication) json() string {
	if _, err := strconv.ParseFloat(p.value, 64); err == nil {
		return p.value
	}
	return strconv.Quote(p.value)
}

// liveBare starts the server of prepared frames.
func (b *bench) liveBare(ctx context.Context, env ...string) (*livePeer, error) {
	s, err := b.startRole(ctx, env, "frames")
	return &livePeer{
		name: "bare", server: s,
		path:  func(topic int) string { return fmt.Sprintf("/ws?topic=%d", topic) },
		hello: func(int) string { return "" },
		begun: func([]byte) bool { return true },
		count: func([]byte) (int, int) { return 1, 0 },
		publish: func(p publication) []byte {
			return request("POST", fmt.Sprintf("/pub?topic=%d", p.topic), "", []byte(`{"subscriptionId":1,"errorCode":0,"errorMsg":null,`+p.series()+`}`))
		},
	}, err
}

// liveCentrifuge starts a node of centrifuge. With cache, new subscribers are given the newest
// publication.
func (b *bench) liveCentrifuge(ctx context.Context, cache bool, env ...string) (*livePeer, error) {
	// A stuck reader costs it megabytes of kernel memory otherwise, and it takes long until it notices.
	args := []string{"-send-buffer", strconv.Itoa(unsent)}
	recover := ""
	if cache {
		args, recover = append(args, "-cache"), `,"recover":true`
	}
	s, err := b.startPeer(ctx, env, centrifugeBin, args...)
	return &livePeer{
		name: "centrifuge", server: s,
		path: func(int) string { return "/ws" },
		hello: func(topic int) string {
			return fmt.Sprintf("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"%d\"%s}}", topic, recover)
		},
		begun: func(payload []byte) bool { return bytes.Contains(payload, []byte(`"id":2`)) },
		count: func(payload []byte) (int, int) {
			return bytes.Count(payload, []byte(`{"push":`)), 0 // it puts several into one frame, a line each
		},
		publish: func(p publication) []byte {
			return request("POST", fmt.Sprintf("/pub?topic=%d", p.topic), "", []byte(`{`+p.series()+`}`))
		},
	}, err
}

// startRole runs this program as one of the servers others are compared with.
func (b *bench) startRole(ctx context.Context, env []string, role string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return b.startPeer(ctx, env, self, "-role", role)
}

// startPeer runs a program that says on its first line where it listens.
func (b *bench) startPeer(ctx context.Context, env []string, bin string, args ...string) (*server, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Dir, cmd.Stderr, cmd.Env = b.dir, os.Stderr, append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", bin, err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s does not say where it listens: %w", bin, err), cmd.Process.Kill())
	}
	return &server{cmd: cmd, addr: strings.TrimSpace(addr)}, nil
}

// livePeers starts all that are to be measured; the first is Tidewire.
func (b *bench) livePeers(ctx context.Context, topics int, cache bool, env ...string) (all []*livePeer, stop func(), err error) {
	stop = func() {
		for _, p := range all {
			_ = p.server.kill()
		}
	}
	starts := []func() (*livePeer, error){
		func() (*livePeer, error) {
			return b.liveTidewire(ctx, "live-"+strconv.FormatInt(time.Now().UnixNano(), 36), topics, env...)
		},
		func() (*livePeer, error) { return b.liveBare(ctx, env...) },
	}
	if b.centrifuge {
		starts = append(starts, func() (*livePeer, error) { return b.liveCentrifuge(ctx, cache, env...) })
	}
	for _, start := range starts {
		p, err := start()
		if err != nil {
			stop()
			return nil, nil, err
		}
		all = append(all, p)
	}
	return all, stop, nil
}

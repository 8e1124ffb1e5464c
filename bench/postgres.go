package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tidewire/tidewire/bench/fleet"
)

// A postgres is a running PostgreSQL with ThingsBoard's tables, reached through a socket
// file only. It syncs every commit, as it does by default.
type postgres struct {
	cmd     *exec.Cmd
	dsn     string
	sockets string // directory of the socket file
}

// pgResult is what the program in bench/peers/pgpeer prints.
type pgResult struct {
	Seconds float64
	Points  int64
	Bytes   int64
	Waits   []float64
}

// startPostgres makes an empty cluster and runs it, as an unprivileged user when we are root:
// the server refuses to run as one.
func (b *bench) startPostgres(ctx context.Context) (*postgres, error) {
	install := exec.CommandContext(ctx, "scripts/install-postgresql")
	install.Stdout, install.Stderr = os.Stderr, os.Stderr
	if err := install.Run(); err != nil {
		return nil, fmt.Errorf("scripts/install-postgresql: %w", err)
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return nil, errors.Join(errors.New("no /usr/lib/postgresql/*/bin/postgres"), err)
	}
	bin := filepath.Dir(slices.Max(found))
	as, uid, err := unprivileged()
	if err != nil {
		return nil, err
	}
	p := &postgres{}
	// The path of a socket is at most 107 bytes long, so it lives apart from the data.
	if p.sockets, err = os.MkdirTemp("", "pg-"); err != nil {
		return nil, err
	}
	data := filepath.Join(b.dir, "pg")
	if err := errors.Join(os.Chmod(b.dir, 0o755), os.Mkdir(data, 0o700), os.Chown(data, uid, -1), os.Chown(p.sockets, uid, -1)); err != nil {
		return nil, err
	}
	if data, err = filepath.Abs(data); err != nil {
		return nil, err
	}
	create := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "bench", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8")
	create.SysProcAttr, create.Dir = as, "/"
	if text, err := create.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, text)
	}
	p.dsn = fmt.Sprintf("host=%s user=bench dbname=postgres", p.sockets)
	p.cmd = exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "-D", data, "-k", p.sockets, "-c", "listen_addresses=",
		"-c", "shared_buffers=2GB", "-c", "max_wal_size=8GB", "-c", "wal_compression=on", "-c", "work_mem=64MB", "-c", "max_parallel_workers_per_gather=1")
	p.cmd.SysProcAttr, p.cmd.Dir = as, "/"
	var said bytes.Buffer
	p.cmd.Stderr = &said
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for begin := time.Now(); ; {
		if _, err = p.task(ctx, nil, "schema", fleet.Keys...); err == nil {
			return p, nil
		}
		if time.Since(begin) > 20*time.Second {
			p.stop()
			return nil, fmt.Errorf("it does not answer: %w: %s", err, &said)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// unprivileged returns who the server runs as: nobody special, or the user Debian's package
// has made for it when we are root.
func unprivileged() (*syscall.SysProcAttr, int, error) {
	if os.Getuid() != 0 {
		return nil, os.Getuid(), nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, 0, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, 0, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, 0, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, uid, nil
}

// stop ends it; nil is nothing to stop.
func (p *postgres) stop() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGINT) // fast: sessions are cut off
	_ = p.cmd.Wait()
	_ = os.RemoveAll(p.sockets)
}

// task runs pgpeer once; args are its flags, task and arguments.
func (p *postgres) task(ctx context.Context, in io.Reader, task string, args ...string) (res pgResult, err error) {
	return p.clients(ctx, in, 0, task, args...)
}

func (p *postgres) clients(ctx context.Context, in io.Reader, clients int, task string, args ...string) (res pgResult, err error) {
	cmd := exec.CommandContext(ctx, pgpeer, append([]string{"-dsn", p.dsn, "-clients", strconv.Itoa(clients), task}, args...)...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = in, &said
	out, err := cmd.Output()
	if err != nil {
		return res, fmt.Errorf("%w: %s", err, &said)
	}
	return res, json.Unmarshal(out, &res)
}

// cpu is what the server and its sessions, the ended ones included, have used so far, seconds.
func (p *postgres) cpu() float64 {
	const tick = 100 // USER_HZ, the same on every Linux
	var sum int64
	pids := []int{p.cmd.Process.Pid}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pids[0], pids[0]))
	if err != nil {
		return 0
	}
	for f := range strings.FieldsSeq(string(children)) {
		if pid, err := strconv.Atoi(f); err == nil {
			pids = append(pids, pid)
		}
	}
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has just ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		for _, i := range []int{11, 12, 13, 14} { // utime, stime and those of ended children
			n, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				return 0
			}
			sum += n
		}
	}
	return float64(sum) / tick
}

// pgRows writes rows of a set as pgpeer reads them, the devices in turn.
func pgRows(set fleet.Set) *bytes.Buffer {
	var buf bytes.Buffer
	devices := make([]*fleet.Device, set.Devices)
	for i := range devices {
		devices[i] = fleet.NewDevice(set, i)
	}
	var b []byte
	for range set.Rows {
		for i, d := range devices {
			d.Next()
			b = strconv.AppendInt(b[:0], int64(i), 10)
			b = append(b, ' ')
			b = strconv.AppendInt(b, d.TS, 10)
			for k := range set.Keys {
				b = append(b, ' ')
				b = d.AppendValue(b, k)
			}
			buf.Write(append(b, '\n'))
		}
	}
	return &buf
}

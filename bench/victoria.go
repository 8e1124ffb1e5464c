package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tidewire/tidewire/bench/fleet"
)

// startVictoria runs VictoriaMetrics on a directory.
func (b *bench) startVictoria(ctx context.Context, data string) (*server, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	s := &server{addr: addr, cmd: exec.CommandContext(ctx, victoriaBin, "-storageDataPath="+data, "-httpListenAddr="+addr,
		"-retentionPeriod=100y", "-loggerLevel=ERROR", "-http.connTimeout=1h",
		"-search.maxSamplesPerQuery=2000000000", "-search.maxSamplesPerSeries=200000000", "-search.maxQueryDuration=5m")}
	s.cmd.Stderr = os.Stderr
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for {
		res, err := http.Get("http://" + addr + "/health")
		if err == nil {
			s.ready = time.Since(begin)
			return s, res.Body.Close()
		}
		if time.Since(begin) > 30*time.Second {
			return nil, errors.Join(errors.New("VictoriaMetrics does not answer"), s.kill())
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// loadVictoria sends what the engine was given, waits until it is readable and merged.
func loadVictoria(vm *server, month, year fleet.Set) error {
	if _, err := loadLines(vm.addr, lineRequests(month, 1000)); err != nil {
		return err
	}
	// The deep series, made in pieces: its text is a gigabyte.
	d := fleet.NewDevice(year, 0)
	w, err := dial(vm.addr)
	if err != nil {
		return err
	}
	defer w.conn.Close()
	var body, answer []byte
	for done := 0; done < year.Rows; {
		body = body[:0]
		for range min(20_000, year.Rows-done) {
			d.Next()
			done++
			body = append(body, "fleet,device=deep temperature="...)
			body = d.AppendValue(body, 0)
			body = append(body, ' ')
			body = strconv.AppendInt(body, d.TS, 10)
			body = append(body, "000000\n"...)
		}
		if answer, err = w.do(request("POST", "/write", "", body), answer[:0]); err != nil {
			return err
		}
	}
	return settleVictoria(vm)
}

// settleVictoria makes everything readable and merged.
func settleVictoria(vm *server) error {
	w, err := dial(vm.addr)
	if err != nil {
		return err
	}
	defer w.conn.Close()
	for _, path := range []string{"/internal/force_flush", "/internal/force_merge"} {
		if _, err := w.do(request("GET", path, "", nil), nil); err != nil {
			return err
		}
	}
	return nil
}

// victoriaSize loads a set into an empty directory and returns what it takes there when
// everything is merged.
func (b *bench) victoriaSize(ctx context.Context, set fleet.Set) (bytes float64, err error) {
	dir := filepath.Join(b.dir, "vm-size")
	defer os.RemoveAll(dir)
	vm, err := b.startVictoria(ctx, dir)
	if err != nil {
		return 0, err
	}
	if _, err := loadLines(vm.addr, lineRequests(set, 1000)); err != nil {
		return 0, errors.Join(err, vm.kill())
	}
	if err := settleVictoria(vm); err != nil {
		return 0, errors.Join(err, vm.kill())
	}
	if err := vm.stop(); err != nil {
		return 0, err
	}
	err = filepath.WalkDir(filepath.Join(dir, "data"), func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += float64(info.Size())
		}
		return err
	})
	return bytes, err
}

func loadLines(addr string, requests [][]byte) (time.Duration, error) {
	next := make(chan []byte, len(requests))
	for _, r := range requests {
		next <- r
	}
	close(next)
	return drive(addr, 4, func(int) []byte { return <-next })
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

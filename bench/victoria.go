package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tidewire/tidewire/bench/fleet"
)

// startVictoria builds VictoriaMetrics from its Go module, pinned in bench/peers, and runs
// it on an empty directory.
func (b *bench) startVictoria(ctx context.Context) (*server, error) {
	bin, err := filepath.Abs("build/peers/victoria-metrics")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(bin); err != nil {
		fmt.Fprintln(os.Stderr, "building VictoriaMetrics from its module (once)")
		build := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics")
		build.Dir, build.Stderr = "bench/peers", os.Stderr
		if err := build.Run(); err != nil {
			return nil, fmt.Errorf("build VictoriaMetrics: %w", err)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(b.dir, "vm-")
	if err != nil {
		return nil, err
	}
	s := &server{addr: addr, cmd: exec.CommandContext(ctx, bin, "-storageDataPath="+data, "-httpListenAddr="+addr,
		"-retentionPeriod=100y", "-loggerLevel=ERROR", "-http.connTimeout=1h",
		"-search.maxSamplesPerQuery=2000000000", "-search.maxSamplesPerSeries=200000000", "-search.maxQueryDuration=5m")}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for begin := time.Now(); ; {
		res, err := http.Get("http://" + addr + "/health")
		if err == nil {
			return s, res.Body.Close()
		}
		if time.Since(begin) > 30*time.Second {
			return nil, errors.Join(errors.New("VictoriaMetrics does not answer"), s.kill())
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
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
	for _, path := range []string{"/internal/force_flush", "/internal/force_merge"} {
		if answer, err = w.do(request("GET", path, "", nil), answer[:0]); err != nil {
			return err
		}
	}
	return nil
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

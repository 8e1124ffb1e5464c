package app

import (
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryShare is the part of a container's memory the Go heap may take before the
// collector works harder: the rest is for stacks, the page cache of the store's files and
// the kernel's socket buffers.
const memoryShare = 0.85

// limitMemory sets the soft memory limit from the cgroup of the process. GOMEMLIMIT, set
// by the operator, wins; without a cgroup limit nothing changes.
func limitMemory(log *slog.Logger) {
	if _, set := os.LookupEnv("GOMEMLIMIT"); set {
		return
	}
	if limit, ok := cgroupLimit("/proc/self/cgroup", "/sys/fs/cgroup"); ok {
		soft := int64(float64(limit) * memoryShare)
		debug.SetMemoryLimit(soft)
		log.Info("memory is limited by the control group", "limit", limit, "soft_limit", soft)
	}
}

// cgroupLimit returns the smallest memory limit, in bytes, of the control group a process
// is in and of the groups above it; version 2, then version 1.
func cgroupLimit(self, root string) (int64, bool) {
	b, err := os.ReadFile(self)
	if err != nil {
		return 0, false
	}
	limit := int64(math.MaxInt64)
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		dir, file := filepath.Join(root, parts[2]), "memory.max"
		if parts[0] != "0" {
			if parts[1] != "memory" {
				continue
			}
			root, file = filepath.Join(root, "memory"), "memory.limit_in_bytes"
			dir = filepath.Join(root, parts[2])
		}
		for ; strings.HasPrefix(dir, root); dir = filepath.Dir(dir) {
			if b, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
				if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 {
					limit = min(limit, n)
				}
			}
		}
	}
	// Version 1 writes a number near 2^63 for "no limit".
	return limit, limit < 1<<60
}

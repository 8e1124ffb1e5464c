package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the release build with -ldflags.
var version = "development"

type versionCmd struct{}

// Run prints the version, the revision it was built from and the Go release.
func (versionCmd) Run(s *streams) error {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = " " + setting.Value
			}
		}
	}
	_, err := fmt.Fprintf(s.out, "tidewire %s%s %s %s/%s\n", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

//go:build canary

package canary

import "os"

var planted = Bug(os.Getenv("TIDEWIRE_CANARY"))

// Planted reports whether b is planted.
func Planted(b Bug) bool { return b == planted }

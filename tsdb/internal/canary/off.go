//go:build !canary

package canary

// Planted reports whether b is planted.
func Planted(Bug) bool { return false }

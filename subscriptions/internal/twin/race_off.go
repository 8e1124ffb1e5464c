//go:build !race

package twin

// Race says that the race detector watches, which makes everything several times as slow.
const Race = false

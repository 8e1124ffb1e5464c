package codec

import (
	"fmt"
	"testing"
)

// BenchmarkUnpack unpacks a step of the widths telemetry has most.
func BenchmarkUnpack(b *testing.B) {
	for _, width := range []uint8{1, 3, 5, 8, 9, 12, 20} {
		var v [MaxRun]int64
		for i := range v {
			v[i] = int64(i*7919) & (1<<width - 1)
		}
		src := append(PackBase(nil, v[:], 0, width), make([]byte, 16)...) // what follows in a row group
		b.Run(fmt.Sprintf("base/width=%d", width), func(b *testing.B) {
			for b.Loop() {
				UnpackBase(v[:], src, 12345, width)
			}
		})
		b.Run(fmt.Sprintf("last/width=%d", width), func(b *testing.B) {
			for b.Loop() {
				UnpackLast(v[:], src, 12345, -3, width)
			}
		})
	}
}

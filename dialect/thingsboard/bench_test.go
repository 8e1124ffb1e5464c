package thingsboard

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// fleetBody returns rows of ten keys as a fleet sends them: walks rounded to two decimals,
// a counter, flags, a setpoint.
func fleetBody(rows int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var b []byte
	if rows > 1 {
		b = append(b, '[')
	}
	for i := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"ts":%d,"values":{"temperature":%.2f,"humidity":%.2f,"pressure":%.2f,"voltage":%.2f,"current":%.2f,`+
			`"power":%.2f,"noise":%.2f,"counter":%d,"door":%d,"setpoint":21}}`, 1700000000000+int64(i)*10000,
			20+rng.Float64(), 40+rng.Float64(), 1013+rng.Float64(), 230+rng.Float64(), 2+rng.Float64(),
			500*rng.Float64(), 100*rng.Float64(), 100000+i, rng.IntN(2))
	}
	if rows > 1 {
		b = append(b, ']')
	}
	return b
}

func BenchmarkTelemetry(b *testing.B) {
	for _, rows := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			body := fleetBody(rows)
			var p Parser
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Telemetry(body, now, ParseOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows*10*b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
		})
	}
}

func BenchmarkTelemetryFullParser(b *testing.B) {
	body := fleetBody(100)
	var p Parser
	b.ReportAllocs()
	for b.Loop() {
		p.reset(model.Timeseries, now, ParseOptions{})
		if err := p.fullTelemetry(body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
}

func BenchmarkHistory(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, value := range map[string]func() model.Value{
		"decimals": func() model.Value { return model.Float(float64(rng.IntN(100_000)) / 100) },
		"averages": func() model.Value { return model.Float(20 + rng.Float64()) },
	} {
		b.Run(name, func(b *testing.B) {
			points := make([]model.Point, 1000)
			for i := range points {
				points[i] = model.Point{TS: 1700000000000 + int64(i)*10000, Value: value()}
			}
			var h History
			b.ReportAllocs()
			for b.Loop() {
				h.Reset(h.Buf[:0], false)
				if err := h.Points("temperature", points); err != nil {
					b.Fatal(err)
				}
				h.Finish()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(1000*b.N), "ns/point")
		})
	}
}

// Three aggregates a bucket, as a dashboard asks for them.
func BenchmarkHistoryRows(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	buckets := make([]model.Bucket, 720)
	for i := range buckets {
		from := 1700000000000 + int64(i)*3_600_000
		decimal := func() model.Value { return model.Float(float64(rng.IntN(100_000)) / 100) }
		buckets[i] = model.Bucket{From: from, To: from + 3_600_000, Count: 360, Avg: model.Float(20 + rng.Float64()), Min: decimal(), Max: decimal()}
	}
	functions := []model.Aggregates{model.Avg, model.Min, model.Max}
	var h History
	b.ReportAllocs()
	for b.Loop() {
		h.Reset(h.Buf[:0], false)
		h.Rows("temperature", functions, buckets)
		h.Finish()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(len(buckets)*b.N), "ns/bucket")
}

// Package fleet makes the telemetry the benchmarks store: devices with ten keys, one row
// every ten seconds. It is the same in every run, and any device can be made alone.
package fleet

import (
	"math/rand/v2"
	"strconv"
)

// Begin is 2025-01-01T00:00:00Z, the first timestamp, ms.
const Begin = 1735689600000

// Keys of a device: slow walks, faster walks, noise, counters, flags and a setpoint.
var Keys = []string{"temperature", "humidity", "pressure", "voltage", "current",
	"energy", "packets", "motion", "online", "setpoint"}

// decimals of each key; its values are whole numbers divided by 10^decimals.
var decimals = [...]int{2, 2, 2, 2, 2, 0, 0, 0, 0, 1}

// A Set says how much telemetry to make.
type Set struct {
	Devices int
	Rows    int   // of each device
	Step    int64 // ms between rows
	Jitter  int64 // at most this many ms are added to each timestamp
	Keys    int   // the first so many of Keys
	Full    bool  // every value is a walk of all 53 bits in place of what real devices send
}

// Points is how many points the set has.
func (s Set) Points() int64 { return int64(s.Devices) * int64(s.Rows) * int64(s.Keys) }

// End is behind the last timestamp, ms.
func (s Set) End() int64 { return Begin + int64(s.Rows)*s.Step }

// A Device makes the rows of one device, in order.
type Device struct {
	set Set
	rng *rand.Rand
	row int64
	at  [10]int64   // current whole numbers
	all [10]float64 // the values, when the set asks for full precision

	TS int64 // of the row, ms
}

// NewDevice starts device n of the set.
func NewDevice(s Set, n int) *Device {
	d := &Device{set: s, rng: rand.New(rand.NewPCG(uint64(n)+1, 0x7469646577697265))}
	d.at = [10]int64{2000, 4500, 101300, 23000, 800, 0, 0, 0, 1, 200}
	for i := range 7 {
		d.at[i] += d.rng.Int64N(200)
	}
	return d
}

// Next makes the next row.
func (d *Device) Next() {
	d.TS = Begin + d.row*d.set.Step
	if d.set.Jitter > 0 {
		d.TS += d.rng.Int64N(d.set.Jitter)
	}
	d.row++
	if d.set.Full {
		for i := range d.set.Keys {
			d.all[i] += d.rng.NormFloat64()
		}
		return
	}
	r := d.rng.Uint64()
	take := func(n uint64) int64 { // a fresh small number from the same 64 bits
		v := int64(r % n)
		r /= n
		return v
	}
	d.walk(0, take(7)-3, -3000, 8000)
	d.walk(1, take(31)-15, 0, 10000)
	d.walk(2, take(11)-5, 95000, 106000)
	d.at[3] = 23000 + take(401) - 200
	d.walk(4, take(61)-30, 0, 3200)
	d.at[5] += take(51)
	d.at[6] += 1 + take(3)
	r = d.rng.Uint64()
	if take(128) == 0 {
		d.at[7] ^= 1
	}
	if take(8192) == 0 {
		d.at[8] ^= 1
	}
	if take(2160) == 0 {
		d.at[9] = 160 + 5*take(17)
	}
}

func (d *Device) walk(i int, by, low, high int64) {
	if next := d.at[i] + by; next >= low && next <= high {
		d.at[i] = next
	}
}

// Value returns value i of the row. A whole number is sent as an integer, as JSON clients do:
// 21 stands between 20.99 and 21.01.
func (d *Device) Value(i int) float64 {
	if d.set.Full {
		return d.all[i]
	}
	switch decimals[i] {
	case 1:
		return float64(d.at[i]) / 10
	case 2:
		return float64(d.at[i]) / 100
	}
	return float64(d.at[i])
}

// AppendValue adds value i as JSON clients write it: without trailing zeros, so a decimal
// key is an integer once in a while.
func (d *Device) AppendValue(dst []byte, i int) []byte {
	return strconv.AppendFloat(dst, d.Value(i), 'f', -1, 64)
}

// AppendRow adds the row as a timed object (contract thingsboard 4.1).
func (d *Device) AppendRow(dst []byte) []byte {
	dst = append(dst, `{"ts":`...)
	dst = strconv.AppendInt(dst, d.TS, 10)
	dst = append(dst, `,"values":{`...)
	for i := range d.set.Keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, Keys[i]...)
		dst = append(dst, `":`...)
		dst = d.AppendValue(dst, i)
	}
	return append(dst, "}}"...)
}

// AppendLine adds the row in Influx line protocol, as VictoriaMetrics takes it.
func (d *Device) AppendLine(dst []byte, device int) []byte {
	dst = append(dst, "fleet,device=d"...)
	dst = strconv.AppendInt(dst, int64(device), 10)
	for i := range d.set.Keys {
		if i == 0 {
			dst = append(dst, ' ')
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, Keys[i]...)
		dst = append(dst, '=')
		dst = d.AppendValue(dst, i)
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, d.TS, 10)
	return append(dst, "000000\n"...)
}

package e2e

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/big"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const hourly = "../demo/data/seattle-weather-hourly-normals.csv"

// A day is what one key has on one day, computed from the file alone, sums exactly.
type day struct {
	count    int
	min, max float64
	sum      *big.Rat
}

// days reads the file as standard time of Seattle and cuts it at local midnight.
func days(t *testing.T) (keys []string, byKey map[string]map[int64]*day, first, last int64) {
	t.Helper()
	f, err := os.Open(hourly)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	keys = rows[0][1:]
	byKey = map[string]map[int64]*day{}
	zone := time.FixedZone("", -8*3600)
	for i, row := range rows[1:] {
		ts, err := time.ParseInLocation("2006-01-02T15:04:05", row[0], zone)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = ts.UnixMilli()
		}
		last = ts.UnixMilli()
		y, m, d := ts.Date()
		midnight := time.Date(y, m, d, 0, 0, 0, 0, zone).UnixMilli()
		for k, key := range keys {
			v, err := strconv.ParseFloat(row[k+1], 64)
			if err != nil {
				t.Fatal(err)
			}
			exact, _ := new(big.Rat).SetString(row[k+1])
			if byKey[key] == nil {
				byKey[key] = map[int64]*day{}
			}
			b := byKey[key][midnight]
			if b == nil {
				b = &day{min: v, max: v, sum: new(big.Rat)}
				byKey[key][midnight] = b
			}
			b.count++
			b.min, b.max = math.Min(b.min, v), math.Max(b.max, v)
			b.sum.Add(b.sum, exact)
		}
	}
	return keys, byKey, first, last
}

func (d *day) value(agg string) float64 {
	sum, _ := d.sum.Float64()
	switch agg {
	case "MIN":
		return d.min
	case "MAX":
		return d.max
	case "SUM":
		return sum
	case "AVG":
		mean, _ := new(big.Rat).Quo(d.sum, big.NewRat(int64(d.count), 1)).Float64()
		return mean
	}
	return float64(d.count)
}

func TestDailyAggregatesOfAnImportEqualTheFile(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "--demo")
	admin, user, password := s.demoAdmin()
	env := []string{"TIDEWIRE_SERVER=" + s.url, "TIDEWIRE_USERNAME=" + user, "TIDEWIRE_PASSWORD=" + password}
	state := t.TempDir() + "/state"
	code, out := run(t, env, "import", "--device", "hourly", "--zone", "-08:00", "--state", state, hourly)
	if code != 0 || !strings.Contains(out, "8759 rows kept") || !strings.Contains(out, " 0 bad rows") {
		t.Fatalf("import = %d:\n%s", code, out)
	}
	id, _ := admin.device("hourly")
	keys, want, first, last := days(t)

	const hours24 = 24 * 3600 * 1000
	zone := time.FixedZone("", -8*3600)
	begin := time.Date(2010, 1, 1, 0, 0, 0, 0, zone).UnixMilli()
	compared := 0
	for _, agg := range []string{"AVG", "MIN", "MAX", "SUM", "COUNT"} {
		got := admin.series(id, fmt.Sprintf("keys=%s&startTs=%d&endTs=%d&agg=%s&interval=%d&useStrictDataTypes=true",
			strings.Join(keys, ","), begin, begin+365*hours24, agg, hours24))
		for _, key := range keys {
			if len(got[key]) != len(want[key]) {
				t.Fatalf("%s of %s: %d days, want %d", agg, key, len(got[key]), len(want[key]))
			}
			for _, p := range got[key] {
				midnight := p.TS - hours24/2
				b := want[key][midnight]
				if b == nil {
					t.Fatalf("%s of %s: a bucket at %d", agg, key, p.TS)
				}
				v, err := strconv.ParseFloat(string(p.Value), 64)
				if err != nil {
					t.Fatal(err)
				}
				w := b.value(agg)
				near := v == w
				if agg == "SUM" || agg == "AVG" {
					near = math.Abs(v-w) <= 1e-12*math.Abs(w)
				}
				if !near {
					t.Errorf("%s of %s on %s: %v, want %v", agg, key, time.UnixMilli(midnight).In(zone).Format(time.DateOnly), v, w)
				}
				compared++
			}
		}
	}
	if want := 5 * 3 * 365; compared != want {
		t.Errorf("%d values compared, want %d", compared, want)
	}
	if first != begin+3600*1000 || last != begin+8759*3600*1000 {
		t.Errorf("the file runs from %d to %d", first, last)
	}
	fourth := want["temperature"][time.Date(2010, 7, 4, 0, 0, 0, 0, zone).UnixMilli()]
	if fourth.count != 24 || fourth.min != 13.0 || fourth.max != 21.9 || fourth.value("SUM") != 414.7 ||
		math.Abs(fourth.value("AVG")-17.279167) > 1e-6 {
		t.Errorf("temperature of 2010-07-04: %+v", fourth)
	}
}

func TestALocalTimeThatDoesNotExistIsABadRow(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, user, password := s.demoAdmin()
	secret := t.TempDir() + "/password"
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"TIDEWIRE_SERVER=" + s.url, "TIDEWIRE_USERNAME=" + user, "TIDEWIRE_PASSWORD_FILE=" + secret}
	code, out := run(t, env, "import", "--device", "los angeles", "--zone", "America/Los_Angeles", "--state", t.TempDir()+"/state", hourly)
	if code != 0 || !strings.Contains(out, "8758 rows kept") || !strings.Contains(out, " 1 bad row") || !strings.Contains(out, ":1731:") {
		t.Fatalf("import = %d:\n%s", code, out)
	}
	id, _ := admin.device("los angeles")
	got := admin.series(id, "keys=temperature&startTs=0&endTs=2000000000000&agg=COUNT&interval=2000000000000&useStrictDataTypes=true")
	if len(got["temperature"]) != 1 || string(got["temperature"][0].Value) != "8758" {
		t.Errorf("count = %v", got)
	}
}

func TestAColumnNamesTheDevice(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, user, password := s.demoAdmin()
	code, out := run(t, nil, "import", "--server", s.url, "--username", user, "--password", password,
		"--device-column", "location", "--column", "temp_max=warmest,weather=sky", "--state", t.TempDir()+"/state", "../demo/data/weather.csv")
	if code != 0 || !strings.Contains(out, "2922 rows kept") {
		t.Fatalf("import = %d:\n%s", code, out)
	}
	id, _ := admin.device("New York")
	got := admin.series(id, "keys=warmest,sky&startTs=1325376000000&endTs=1325376000001&useStrictDataTypes=true")
	var keys []string
	for k := range got {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if !slices.Equal(keys, []string{"sky", "warmest"}) || string(got["sky"][0].Value) == "" || got["sky"][0].TS != 1325376000000 {
		t.Errorf("first day of New York: %s", fmt.Sprint(got))
	}
}

// An import that was killed goes on behind the last acknowledged batch, and the history is as
// if nothing had happened.
func TestAnImportThatWasKilledGoesOn(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, user, password := s.demoAdmin()
	state := t.TempDir() + "/state"
	args := []string{"import", "--server", s.url, "--username", user, "--password", password,
		"--device", "twice", "--zone", "-08:00", "--batch", "5", "--state", state, hourly}

	first := exec.Command(binary, args...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	s.until("the import has got somewhere", func() bool {
		_, err := os.Stat(state)
		return err == nil
	})
	_ = first.Process.Kill()
	if err := first.Wait(); err == nil {
		t.Fatal("the import was through before it was killed")
	}

	code, out := run(t, nil, args...)
	if code != 0 || !strings.Contains(out, "going on after line") {
		t.Fatalf("import = %d:\n%s", code, out)
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("the state file is left behind")
	}
	id, _ := admin.device("twice")
	got := admin.series(id, "keys=temperature&startTs=0&endTs=2000000000000&agg=COUNT&interval=2000000000000&useStrictDataTypes=true")
	if len(got["temperature"]) != 1 || string(got["temperature"][0].Value) != "8759" {
		t.Errorf("count = %v", got)
	}
}

package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/tidewire/tidewire/model"
)

func TestTimesAreReadInTheirZone(t *testing.T) {
	f := func(s, zone, want string) {
		t.Helper()
		loc, err := ParseZone(zone)
		if err != nil {
			t.Fatal(err)
		}
		ms, err := parseTime(s, loc)
		got := time.UnixMilli(ms).UTC().Format(time.RFC3339Nano)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("parseTime(%q, %s) = %s, want %s", s, zone, got, want)
		}
	}
	f("2010-01-01T01:00:00", "-08:00", "2010-01-01T09:00:00Z")
	f("2010-01-01T01:00:00", "America/Los_Angeles", "2010-01-01T09:00:00Z")
	f("2010-07-01 01:00", "America/Los_Angeles", "2010-07-01T08:00:00Z")
	f("2010-07-01", "", "2010-07-01T00:00:00Z")
	f("2010-07-01T01:00:00.25+02:00", "America/Los_Angeles", "2010-06-30T23:00:00.25Z")
	f("1700000000", "", "2023-11-14T22:13:20Z")
	f("1700000000123", "-08:00", "2023-11-14T22:13:20.123Z")
	f("1700000000.5", "", "2023-11-14T22:13:20.5Z")
	// The clocks jump from 02:00 to 03:00, and back from 02:00 to 01:00.
	f("2010-03-14T01:59:59", "America/Los_Angeles", "2010-03-14T09:59:59Z")
	f("2010-03-14T02:00:00", "America/Los_Angeles", "the time 2010-03-14T02:00:00 does not exist in America/Los_Angeles")
	f("2010-03-14T03:00:00", "America/Los_Angeles", "2010-03-14T10:00:00Z")
	f("2010-11-07T01:00:00", "America/Los_Angeles", "2010-11-07T08:00:00Z") // the first of two
	f("2011-12-30", "Pacific/Apia", "the time 2011-12-30 does not exist in Pacific/Apia")
	f("yesterday", "", `"yesterday" is not a time`)
	f("", "", `"" is not a time`)
}

func TestZonesThatDoNotExistAreRefused(t *testing.T) {
	for _, zone := range []string{"Seattle", "-8", "+25:61", "Local"} {
		if _, err := ParseZone(zone); err == nil {
			t.Errorf("ParseZone(%q) = nil error", zone)
		}
	}
}

func TestFieldsKeepTheTypeTheyAreWrittenIn(t *testing.T) {
	f := func(s string, want model.Value) {
		t.Helper()
		if got := parseValue(s); got != want {
			t.Errorf("parseValue(%q) = %#v, want %#v", s, got, want)
		}
	}
	f("21", model.Int(21))
	f("-9223372036854775808", model.Int(-1<<63))
	f("9223372036854775808", model.String("9223372036854775808"))
	f("21.0", model.Float(21))
	f("-0.0", model.FromBits(model.TypeFloat, 1<<63))
	f("1e3", model.Float(1000))
	f("1e999", model.String("1e999"))
	f("0042", model.String("0042"))
	f("+1", model.String("+1"))
	f(".5", model.String(".5"))
	f("5.", model.String("5."))
	f("true", model.Bool(true))
	f("rain", model.String("rain"))
	f("", model.Value{})
	f("NaN", model.Value{})
}

// A memory keeps what was written, as text, and may fail.
type memory struct {
	rows   []string
	writes int
	failAt int
}

func (m *memory) Write(_ context.Context, device string, set *model.WriteSet) error {
	if m.writes++; m.writes == m.failAt {
		return errors.New("the server is away")
	}
	cells := set.Cells
	for _, row := range set.Rows {
		line := fmt.Sprintf("%s %d", device, row.TS)
		for _, c := range cells[:row.Cells] {
			line += fmt.Sprintf(" %s=%#v", set.Keys[c.Key], c.Value)
		}
		cells = cells[row.Cells:]
		m.rows = append(m.rows, line)
	}
	return nil
}

func TestBadRowsAreReportedWithTheirLineAndGoodOnesKept(t *testing.T) {
	const file = "\ufeffplace,time,a,b\n" +
		"x,1700000000000,1,up\n" +
		"x,never,2,up\n" +
		",1700000001000,3,up\n" +
		"y,1700000002000,4\n" +
		"y,1700000003000,\"5,up\n" + // the quote runs to the end of the file
		"y,1700000004000,6,up\n"
	rd, err := NewReader(strings.NewReader(file), Options{DeviceColumn: "place"})
	if err != nil {
		t.Fatal(err)
	}
	var bad []string
	sink := &memory{}
	p, err := Run(t.Context(), rd, sink, Job{OnBad: func(e *RowError) { bad = append(bad, e.Error()) }})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"x 1700000000000 a=1 b=\"up\""}, sink.rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	want := []string{
		`line 3: "never" is not a time`,
		"line 4: it names no device",
		"line 5: wrong number of fields",
		`line 6: extraneous or missing " in quoted-field`,
	}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Errorf("bad rows (-want +got):\n%s", diff)
	}
	if p.Rows != 1 || p.Bad != 4 || p.Points != 2 {
		t.Errorf("progress = %+v", p)
	}
}

func TestColumnsAreMapped(t *testing.T) {
	rd, err := NewReader(strings.NewReader("when;temp;skip\n0;1;2\n"), Options{
		TimeColumn: "when", Device: "d", Columns: map[string]string{"temp": "temperature"}, Comma: ';',
	})
	if err != nil {
		t.Fatal(err)
	}
	sink := &memory{}
	if _, err := Run(t.Context(), rd, sink, Job{}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"d 0 temperature=1"}; !slices.Equal(sink.rows, want) {
		t.Errorf("rows = %q, want %q", sink.rows, want)
	}
}

func TestHeadersThatCannotBeUsedAreRefused(t *testing.T) {
	f := func(file string, o Options, want string) {
		t.Helper()
		_, err := NewReader(strings.NewReader(file), o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewReader(%q) = %v, want %q", file, err, want)
		}
	}
	f("", Options{Device: "d"}, "empty")
	f("a,b\n", Options{Device: "d"}, "name the time column")
	f("ts,b\n", Options{}, "neither a device nor a device column")
	f("ts,b\n", Options{DeviceColumn: "place"}, `device column "place"`)
	f("ts,b\n", Options{Device: "d", TimeColumn: "t"}, `time column "t"`)
	f("ts,b\n", Options{Device: "d", Columns: map[string]string{"c": "k"}}, `column "c"`)
	f("ts,b,b\n", Options{Device: "d"}, `two columns give the key "b"`)
	f("ts\n", Options{Device: "d"}, "no column of values")
}

func TestAnInterruptedImportGoesOnWhereItStopped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "in.csv")
	var text strings.Builder
	text.WriteString("ts,v\n")
	for i := range 25 {
		fmt.Fprintf(&text, "%d,%d\n", 1700000000000+i, i)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	sink := &memory{failAt: 2}
	attempt := func() error {
		in, err := os.Open(file)
		if err != nil {
			return err
		}
		defer in.Close()
		state, err := OpenState(file+".state", in, "d")
		if err != nil {
			return err
		}
		rd, err := NewReader(in, Options{Device: "d"})
		if err != nil {
			return err
		}
		_, err = Run(t.Context(), rd, sink, Job{BatchRows: 10, SkipTo: state.Line(), OnProgress: func(p Progress) error {
			return state.Save(p.Line)
		}})
		if err != nil {
			return err
		}
		return state.Remove()
	}
	if err := attempt(); err == nil {
		t.Fatal("the sink failed and the import did not")
	}
	if len(sink.rows) != 10 {
		t.Fatalf("%d rows before the failure, want one batch of 10", len(sink.rows))
	}
	if err := attempt(); err != nil {
		t.Fatal(err)
	}
	if len(sink.rows) != 25 || !strings.HasPrefix(sink.rows[10], "d 1700000000010 ") {
		t.Errorf("%d rows, the 11th %q: want 25, none twice", len(sink.rows), sink.rows[10])
	}
	if _, err := os.Stat(file + ".state"); !os.IsNotExist(err) {
		t.Errorf("the state is still there: %v", err)
	}
}

func TestAStateOfAnotherFileIsIgnored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	one := func(text, settings string) *State {
		s, err := OpenState(path, strings.NewReader(text), settings)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if err := one("abc", "x").Save(7); err != nil {
		t.Fatal(err)
	}
	if got := one("abc", "x").Line(); got != 7 {
		t.Errorf("same file: line %d, want 7", got)
	}
	if got := one("abd", "x").Line(); got != 0 {
		t.Errorf("another file: line %d, want 0", got)
	}
	if got := one("abc", "y").Line(); got != 0 {
		t.Errorf("other settings: line %d, want 0", got)
	}
}

// The hour that daylight saving leaves out stands in the file, because its times are
// standard time all year.
func TestHourlyNormalsInBothZones(t *testing.T) {
	f := func(zone string, rows int, bad ...int) {
		t.Helper()
		in, err := os.Open("../demo/data/seattle-weather-hourly-normals.csv")
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		loc, err := ParseZone(zone)
		if err != nil {
			t.Fatal(err)
		}
		rd, err := NewReader(in, Options{Device: "d", Zone: loc})
		if err != nil {
			t.Fatal(err)
		}
		kept, left := 0, []int(nil)
		for {
			_, err := rd.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if e, ok := errors.AsType[*RowError](err); ok {
				left = append(left, e.Line)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			kept++
		}
		if kept != rows || !slices.Equal(left, bad) {
			t.Errorf("%s: kept %d, left out lines %v; want %d and %v", zone, kept, left, rows, bad)
		}
	}
	f("-08:00", 8759)
	f("America/Los_Angeles", 8758, 1731)
}

package revision

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
)

var update = flag.Bool("update", false, "write the golden anew")

// A write is what happens to an instant.
type write struct {
	keeps   bool
	quality uint8
	value   model.Value
}

func (w *write) fold(f *Fold, position int) {
	if w.keeps {
		f.Keep(model.Position(position), int64(1000*position), w.quality, 0, w.value)
	} else {
		f.Write(w.value)
	}
}

func TestTheFoldKeepsWhatTheContractAsksFor(t *testing.T) {
	one, two, three, bad := model.Int(1), model.Int(2), model.Int(3), model.String("abc")
	f := func(want string, writes ...write) {
		t.Helper()
		var fold Fold
		for i := range writes {
			writes[i].fold(&fold, i+1)
		}
		var got []string
		rows := fold.Fresh
		if r, ok := fold.End(); ok {
			rows = append(rows, r)
		}
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%#v/%d@%d", r.Value, r.Quality, r.Received/1000))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%v gave %s, want %s", writes, s, want)
		}
	}
	f("1/0@1 2/0@2 3/0@3", write{true, 0, one}, write{true, 0, two}, write{true, 0, three})
	f("1/0@1", write{true, 0, one}, write{true, 0, one})
	f("1/0@1 2/0@2 1/0@3", write{true, 0, one}, write{true, 0, two}, write{true, 0, one})
	f("", write{false, 0, one}, write{false, 0, two})
	f("2/0@0 3/0@3", write{false, 0, one}, write{false, 0, two}, write{true, 0, three})
	f("1/0@0", write{false, 0, one}, write{true, 0, one})
	f("1/0@1 3/0@0", write{true, 0, one}, write{false, 0, two}, write{false, 0, three})
	f("1/0@1 2/0@0 3/0@3", write{true, 0, one}, write{false, 0, two}, write{true, 0, three})
	f(`1/0@1 "abc"/3@2`, write{true, 0, one}, write{true, 3, bad}, write{true, 3, bad})
	f(`"abc"/3@1 1/0@2`, write{true, 3, bad}, write{true, 0, one})
	f(`1/0@1 "abc"/3@2 2/0@3`, write{true, 0, one}, write{true, 3, bad}, write{true, 0, two})
	f(`1/0@1 1/2@2 1/0@3`, write{true, 0, one}, write{true, 2, one}, write{true, 0, one})
	f(`1/0@1 "abc"/3@2 2/0@0 "abc"/3@4`, write{true, 0, one}, write{true, 3, bad}, write{false, 0, two}, write{true, 3, bad})
}

// A flush may come between any two writes: what it finds stored are the last row, the good
// one that row points at, and the point.
func TestFoldingInPiecesGivesTheSameRows(t *testing.T) {
	values := []model.Value{model.Int(1), model.Int(2), model.Null(), model.String("x")}
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var whole, piece Fold
		var stored []Row
		for i := range 1 + rng.IntN(12) {
			w := write{rng.IntN(3) > 0, uint8(max(0, rng.IntN(5)-2)), values[rng.IntN(len(values))]}
			position := i/2 + 1 // two of a set
			w.fold(&whole, position)
			w.fold(&piece, position)
			if i%2 == 1 && rng.IntN(2) == 0 {
				stored = append(stored, piece.Fresh...)
				current := piece.Current
				piece.Reset()
				piece.Current = current
				if len(stored) > 0 {
					last := stored[len(stored)-1]
					if last.HasGood {
						piece.Add(stored[slices.IndexFunc(stored, func(r Row) bool { return Place{r.Position, r.N} == last.Good })])
					}
					piece.Add(last)
				}
			}
		}
		if got := append(stored, piece.Fresh...); !slices.Equal(got, whole.Fresh) {
			t.Fatalf("seed %d: in pieces %v, at once %v", seed, got, whole.Fresh)
		}
	}
}

const goldenTS = 1_700_000_000_000

// goldenRows are the rows whose bytes stand in testdata and in docs/format.
func goldenRows() []Row {
	good := Place{Position: 70, N: 1}
	return []Row{
		{Position: 70, N: 0, Value: model.Float(21.5)},
		{Position: 70, N: 1, Value: model.Float(21.25), Received: goldenTS + 350},
		{Position: 91, N: 0, Value: model.String("abc"), Received: goldenTS + 60_000, Quality: 1, Good: good, HasGood: true},
		{Position: 92, N: 0, Value: model.Int(-7), Received: goldenTS + 61_000, Quality: 2, Expires: goldenTS + 661_000, Good: good, HasGood: true},
		{Position: 300, N: 0, Value: model.Float(math.Pi), Received: goldenTS - 5},
		{Position: 301, N: 0, Value: model.Null(), Received: goldenTS + 90_000},
		{Position: 302, N: 0, Value: model.Bool(true), Received: goldenTS + 90_001},
		{Position: 303, N: 0, Value: model.JSON(`{"n":1}`), Received: goldenTS + 90_002},
		{Position: 304, N: 0, Value: model.Float(math.Copysign(0, -1)), Received: 1},
	}
}

func TestRowsAreTheGoldenBytes(t *testing.T) {
	var b strings.Builder
	b.WriteString("# revisions of one column at 1700000000000      regenerate: go test ./tsdb/internal/revision -update\n")
	for _, r := range goldenRows() {
		raw := r.Append(nil, goldenTS)
		got := Row{Position: r.Position, N: r.N}
		if err := got.Parse(raw, goldenTS); err != nil || got != r {
			t.Errorf("%+v came back as %+v, %v", r, got, err)
		}
		note := fmt.Sprintf("%#v", r.Value)
		if r.Received != 0 {
			note += fmt.Sprintf(", received %d", r.Received)
		}
		if r.Quality != 0 {
			note += fmt.Sprintf(", quality %d", r.Quality)
		}
		if r.HasGood {
			note += fmt.Sprintf(", good one %d.%d", r.Good.Position, r.Good.N)
		}
		if r.Expires != 0 {
			note += fmt.Sprintf(", expires %d", r.Expires)
		}
		fmt.Fprintf(&b, "%3d.%d  %-38s  %s\n", r.Position, r.N, fmt.Sprintf("% x", raw), note)
	}
	path := filepath.Join("testdata", "rows.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "format", "revisions.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), b.String()) {
		t.Error("docs/format/revisions.md does not show the golden dump")
	}
}

// FuzzRow: whatever stands in a row, reading it ends in an error or in a row that is written
// as another form of itself.
func FuzzRow(f *testing.F) {
	for _, r := range goldenRows() {
		f.Add(r.Append(nil, goldenTS))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Row{Position: 1 << 40, N: 3}
		if r.Parse(b, goldenTS) != nil {
			return
		}
		again := Row{Position: r.Position, N: r.N}
		if r.Received == 0 { // forged: the flag without a time
			return
		}
		if err := again.Parse(r.Append(nil, goldenTS), goldenTS); err != nil || again != r {
			t.Errorf("%+v came back as %+v, %v", r, again, err)
		}
	})
}

package keys

import (
	"bytes"
	"math"
	"testing"

	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

func TestOrderOfBlockKeysIsOrderOfMeaning(t *testing.T) {
	list := []Block{
		{-2, 1, -5_000_000_000}, {-1, 1, -7}, {-1, 2, -9}, {0, 1, math.MinInt64}, {0, 1, -1}, {0, 1, 0},
		{0, 1, 1}, {0, 1, math.MaxInt64}, {0, 2, 0}, {0, math.MaxUint64, 0}, {1, 0, 0},
	}
	for i, b := range list {
		k := b.Append(nil, RowGroups)
		if got, err := ParseBlock(k); err != nil || got != b {
			t.Errorf("%v came back as %v, %v", b, got, err)
		}
		if i > 0 && bytes.Compare(list[i-1].Append(nil, RowGroups), k) >= 0 {
			t.Errorf("%v does not sort before %v", list[i-1], b)
		}
		if end := b.AppendEnd(nil, RowGroups); bytes.Compare(k, end) >= 0 {
			t.Errorf("%v is not before the end of its group", b)
		}
	}
}

func TestRowGroupKeysAreThoseTheChecksumCovers(t *testing.T) {
	b := Block{-3, 77, -12345}
	if got, want := b.Append(nil, RowGroups), (rowgroup.Key{Partition: -3, Group: 77, First: -12345}).Append(nil); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	for _, k := range []string{"", "l", "l12345678x", "b123", "m"} {
		if _, err := ParseLog([]byte(k)); err == nil {
			t.Errorf("%q is a log key", k)
		}
		if _, err := ParseBlock([]byte(k)); err == nil {
			t.Errorf("%q is a block key", k)
		}
		if _, _, err := ParseCatalog([]byte(k)); err == nil {
			t.Errorf("%q is a catalog key", k)
		}
	}
}

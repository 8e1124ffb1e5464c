package keys

import (
	"bytes"
	"math"
	"testing"

	"github.com/tidewire/tidewire/model"
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

func FuzzParse(f *testing.F) {
	s := Series{Tenant: model.TenantID{1}, Entity: model.EntityID{2}, Scope: model.Client}
	f.Add(AppendLog(nil, 77))
	f.Add(AppendCatalog(nil, s, "temperature"))
	f.Add(AppendNames(nil, 5))
	f.Add(AppendState(nil, 1<<63))
	f.Add(Block{Partition: -7, Group: 3, First: -5}.Append(nil, RowGroups))
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(again []byte) {
			if !bytes.Equal(again, b) {
				t.Errorf("%x was read, and written %x", b, again)
			}
		}
		if p, err := ParseLog(b); err == nil {
			same(AppendLog(nil, p))
		}
		if s, key, err := ParseCatalog(b); err == nil {
			same(AppendCatalog(nil, s, string(key)))
		}
		if group, err := ParseGroup(b); err == nil {
			if b[0] == Names {
				same(AppendNames(nil, group))
			} else {
				same(AppendState(nil, group))
			}
		}
		if block, err := ParseBlock(b); err == nil {
			same(block.Append(nil, b[0]))
		}
	})
}

func TestOrderOfRevisionsIsOrderOfArrivalWithinAnInstant(t *testing.T) {
	list := []Revision{
		{1, 0, math.MinInt64, 9, 0}, {1, 0, -1, 9, 0}, {1, 0, 5, 1, 0}, {1, 0, 5, 1, 1}, {1, 0, 5, 256, 0},
		{1, 0, 6, 0, 0}, {1, 31, math.MinInt64, 0, 0}, {2, 0, 0, math.MaxUint64, math.MaxUint16},
	}
	for i, r := range list {
		k := r.Append(nil)
		if got, err := ParseRevision(k); err != nil || got != r {
			t.Errorf("%v came back as %v, %v", r, got, err)
		}
		if i > 0 && bytes.Compare(list[i-1].Append(nil), k) >= 0 {
			t.Errorf("%v does not sort before %v", list[i-1], r)
		}
		if end := AppendRevisionsEnd(nil, r.Group, r.Column); bytes.Compare(k, end) >= 0 {
			t.Errorf("%v is not before the end of its column", r)
		}
		if !bytes.HasPrefix(k, AppendRevisions(nil, r.Group, r.Column, r.TS)) {
			t.Errorf("%v does not begin with the prefix of its instant", r)
		}
	}
}

func FuzzParseRevision(f *testing.F) {
	f.Add(Revision{7, 3, -5, 1 << 40, 2}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseRevision(b); err == nil && string(r.Append(nil)) != string(b) {
			t.Errorf("%x is read as %+v", b, r)
		}
	})
}

package catalog

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

func someNames() []Names {
	series := keys.Series{Tenant: model.TenantID{1}, Entity: model.EntityID{2, 15: 0xff}, Scope: model.Shared}
	wide := Names{Series: series}
	for i := range MaxColumns {
		wide.Columns = append(wide.Columns, strings.Repeat("k", i+1))
	}
	return []Names{wide, {Series: series, Columns: []string{"temperature"}}, {Series: series, Columns: []string{"å\x00", ""}}}
}

func TestNamesComeBack(t *testing.T) {
	for _, want := range someNames() {
		b := want.Append(nil)
		got, err := ParseNames(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v (%v), want %+v", got, err, want)
		}
		for n := range b {
			if _, err := ParseNames(b[:n]); !errors.Is(err, ErrRow) {
				t.Errorf("%d of %d bytes: %v", n, len(b), err)
			}
		}
	}
}

func FuzzParseNames(f *testing.F) {
	for _, n := range someNames() {
		f.Add(n.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseNames(b)
		if err != nil {
			return
		}
		if again, err := ParseNames(n.Append(nil)); err != nil || !reflect.DeepEqual(n, again) {
			t.Errorf("%+v, then %+v (%v)", n, again, err)
		}
	})
}

func FuzzParseRef(f *testing.F) {
	f.Add(Ref{Group: 1}.Append(nil))
	f.Add(Ref{Group: 1 << 63, Column: MaxColumns - 1}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRef(b)
		if err != nil {
			return
		}
		if again, err := ParseRef(r.Append(nil)); err != nil || again != r || len(r.Append(nil)) > len(b) {
			t.Errorf("%+v of %x, then %+v (%v)", r, bytes.Clone(b), again, err)
		}
	})
}

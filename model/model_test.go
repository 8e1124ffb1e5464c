package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNewIDsAreVersion7AndSortByCreation(t *testing.T) {
	at := time.UnixMilli(1700000000123)
	var ids []string
	for i := range 50 {
		id := NewID(at.Add(time.Duration(i)*time.Millisecond), bytes.NewReader(bytes.Repeat([]byte{byte(255 - i)}, 10)))
		s := id.String()
		if s[14] != '7' || !strings.ContainsRune("89ab", rune(s[19])) {
			t.Fatalf("%s is not version 7 of variant 10 (RFC 9562)", s)
		}
		ids = append(ids, s)
	}
	if !slices.IsSorted(ids) {
		t.Errorf("not in the order of creation: %v", ids)
	}
	if want := "018bcfe5-687b-7"; !strings.HasPrefix(ids[0], want) {
		t.Errorf("%s does not begin with the time %s", ids[0], want)
	}
}

func TestNewIDWithoutRandomnessPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an id was made without randomness")
		}
	}()
	NewID(time.Now(), io.LimitReader(bytes.NewReader(nil), 0))
}

func TestIDsComeBackFromText(t *testing.T) {
	const text = "784f394c-42b6-435a-983c-b7beff2784f9"
	id, err := ParseID(strings.ToUpper(text))
	if err != nil || id.String() != text {
		t.Fatalf("%s, %v", id, err)
	}
	b, err := json.Marshal(map[string]ID{"id": id})
	if err != nil || string(b) != `{"id":"`+text+`"}` {
		t.Errorf("%s, %v", b, err)
	}
	var back map[string]ID
	if err := json.Unmarshal(b, &back); err != nil || back["id"] != id {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{"", "784f394c", text + "0", "784f394c_42b6-435a-983c-b7beff2784f9", "784f394c-42b6-435a-983c-b7beff2784fg", "784f394c-42b6-435a-983cb-7beff2784f9"} {
		if id, err := ParseID(bad); KindOf(err) != Invalid || !id.IsZero() {
			t.Errorf("ParseID(%q) = %s, %v", bad, id, err)
		}
	}
}

func TestNoCustomerIsTheConstantOfTheWire(t *testing.T) {
	if got := NoCustomer.String(); got != "13814000-1dd2-11b2-8080-808080808080" {
		t.Error(got)
	}
}

func TestValuesKeepTypeAndBits(t *testing.T) {
	for _, v := range []Value{Null(), Bool(true), Bool(false), Int(math.MinInt64), Int(1<<53 + 1), Float(math.Copysign(0, -1)), Float(5e-324)} {
		if back := FromBits(v.Type(), v.Bits()); back != v {
			t.Errorf("%#v came back as %#v", v, back)
		}
	}
	if Float(0) == Float(math.Copysign(0, -1)) || Int(1) == Float(1) || String("{}") == JSON("{}") || Null() == (Value{}) {
		t.Error("different values are equal")
	}
	if f, ok := Int(3).Number(); !ok || f != 3 {
		t.Error(f, ok)
	}
	if _, ok := Bool(true).Number(); ok {
		t.Error("a boolean is a number")
	}
}

func TestABucketReportsItsMiddle(t *testing.T) {
	// The example of contract thingsboard 9.1: width 50000, the last bucket cut at 80000.
	for _, b := range []struct{ from, to, mid int64 }{{0, 50000, 25000}, {50000, 80000, 65000}, {-3, 0, -2}} {
		if got := (&Bucket{From: b.from, To: b.to}).Mid(); got != b.mid {
			t.Errorf("[%d, %d) reports %d, want %d", b.from, b.to, got, b.mid)
		}
	}
}

func TestTheKindOfAnErrorSurvivesWrapping(t *testing.T) {
	cause := errors.New("disk on fire")
	err := fmt.Errorf("save device: %w", &Error{Kind: Overload, Message: "try later", Err: cause})
	if KindOf(err) != Overload || MessageOf(err, "x") != "try later" || !errors.Is(err, cause) {
		t.Errorf("%v: %v, %q", err, KindOf(err), MessageOf(err, "x"))
	}
	if KindOf(cause) != Internal || MessageOf(cause, "Internal error") != "Internal error" {
		t.Error("an error without a kind is shown to a client")
	}
}

func TestPagesAreCounted(t *testing.T) {
	for _, c := range []struct{ total, size, pages int }{{0, 10, 0}, {1, 10, 1}, {10, 10, 1}, {11, 10, 2}, {5, 0, 0}} {
		if got := (Page[int]{Total: c.total}).Pages(c.size); got != c.pages {
			t.Errorf("%d of %d: %d pages, want %d", c.total, c.size, got, c.pages)
		}
	}
}

func TestAWindowShowsItsKeysAndItsSpan(t *testing.T) {
	source := EntityRef{Type: EntityDevice, ID: EntityID{7}}
	v := EntityView{Source: source, Keys: ViewKeys{Timeseries: []string{"t", "h", "t"}}, From: 10, To: 20}
	w := v.Window()
	if !slices.Equal(w.Keys, []string{"h", "t"}) {
		t.Errorf("keys %q", w.Keys)
	}
	for _, c := range []struct {
		key  string
		ts   int64
		want bool
	}{{"t", 10, true}, {"t", 9, false}, {"h", 19, true}, {"h", 20, false}, {"x", 15, false}} {
		if w.Shows(c.key, c.ts) != c.want {
			t.Errorf("%s at %d: %v", c.key, c.ts, !c.want)
		}
	}
	open := (&EntityView{Source: source}).Window()
	if !open.Shows("any", -5) || open.Only(nil) != nil {
		t.Error("an open window hides something")
	}
	clip := func(w *Window, from, to int64, keys []string, some bool, wantFrom, wantTo int64, wantKeys ...string) {
		t.Helper()
		q := RangeQuery{Entity: EntityID{1}, From: from, To: to, Keys: keys}
		if got := w.Clip(&q); got != some {
			t.Errorf("[%d, %d) %q: %v", from, to, keys, got)
		} else if some && (q.Entity != source.ID || q.From != wantFrom || q.To != wantTo || !slices.Equal(q.Keys, wantKeys)) {
			t.Errorf("[%d, %d) %q became %+v", from, to, keys, q)
		}
	}
	clip(w, 0, 100, []string{"x", "t"}, true, 10, 20, "t")
	clip(w, 12, 15, nil, true, 12, 15, "h", "t")
	clip(w, 0, 10, []string{"t"}, false, 0, 0)
	clip(w, 20, 30, []string{"t"}, false, 0, 0)
	clip(w, 12, 15, []string{"x"}, false, 0, 0)
	clip(w, 15, 15, []string{"t"}, true, 15, 16, "t") // the engine reads an empty range as one instant
	clip(open, -5, 100, []string{"x"}, true, -5, 100, "x")
}

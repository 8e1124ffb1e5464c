package registry

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// An order is how elements of T compare by each property clients may sort by.
type order[T any] map[string]func(a, b *T) int

// withContact adds the properties of a contact.
func withContact[T any](by order[T], of func(*T) *model.Contact) order[T] {
	for property, text := range map[string]func(*model.Contact) string{
		"country":  func(c *model.Contact) string { return c.Country },
		"state":    func(c *model.Contact) string { return c.State },
		"city":     func(c *model.Contact) string { return c.City },
		"address":  func(c *model.Contact) string { return c.Address },
		"address2": func(c *model.Contact) string { return c.Address2 },
		"zip":      func(c *model.Contact) string { return c.Zip },
		"phone":    func(c *model.Contact) string { return c.Phone },
		"email":    func(c *model.Contact) string { return c.Email },
	} {
		by[property] = func(a, b *T) int { return compareText(text(of(a)), text(of(b))) }
	}
	return by
}

// checkLink refuses a page link that asks for nothing or by an unknown property
// (contract thingsboard 1.4).
func checkLink[T any](l model.PageLink, by order[T]) error {
	if l.Size < 1 {
		return model.Invalidf("Incorrect page link page size '%d'. Page size must be greater than zero.", l.Size)
	}
	if l.Page < 0 {
		return model.Invalidf("Incorrect page link page '%d'. Page must be positive integer.", l.Page)
	}
	if _, ok := by[l.Sort]; !ok && l.Sort != "" {
		return model.Invalidf("Invalid sort property")
	}
	return nil
}

// paginate orders items in place, as far as the page goes, and cuts it out of them. Without
// a property the newest stand first; newest breaks ties, so pages never overlap.
func paginate[T any](items []*T, l model.PageLink, by order[T], newest func(a, b *T) int) model.Page[*T] {
	compare := newest
	if property := by[l.Sort]; property != nil {
		compare = func(a, b *T) int {
			c := property(a, b)
			if l.Descending {
				c = -c
			}
			return cmp.Or(c, newest(a, b))
		}
	}
	page := model.Page[*T]{Total: len(items)}
	if l.Page > len(items)/l.Size {
		return page
	}
	from := l.Page * l.Size
	to := min(len(items), from+min(l.Size, len(items)))
	sortFirst(items, to, compare)
	page.Data = items[from:to]
	return page
}

// sortFirst puts the n smallest items in order to the front. Pages are short and lists long:
// a heap of n looks at every item once, where a sort would compare each with many.
func sortFirst[T any](items []*T, n int, compare func(a, b *T) int) {
	if n == 0 {
		return
	}
	if n > len(items)/8 {
		slices.SortFunc(items, compare)
		return
	}
	heap := items[:n] // the largest on top
	down := func(i int) {
		for {
			child := 2*i + 1
			if child >= n {
				return
			}
			if child+1 < n && compare(heap[child], heap[child+1]) < 0 {
				child++
			}
			if compare(heap[i], heap[child]) >= 0 {
				return
			}
			heap[i], heap[child] = heap[child], heap[i]
			i = child
		}
	}
	for i := n/2 - 1; i >= 0; i-- {
		down(i)
	}
	for i := n; i < len(items); i++ {
		if compare(items[i], heap[0]) < 0 {
			heap[0], items[i] = items[i], heap[0]
			down(0)
		}
	}
	slices.SortFunc(heap, compare)
}

// values turns a page of pointers into one of values.
func values[T any](p model.Page[*T]) model.Page[T] {
	out := model.Page[T]{Total: p.Total, Data: make([]T, 0, len(p.Data))}
	for _, v := range p.Data {
		out.Data = append(out.Data, *v)
	}
	return out
}

// A needle is a text search: a substring, whatever its case.
type needle string

func newNeedle(search string) needle { return needle(strings.ToLower(search)) }

func (n needle) in(texts ...string) bool {
	if n == "" {
		return true
	}
	for _, t := range texts {
		if strings.Contains(strings.ToLower(t), string(n)) {
			return true
		}
	}
	return false
}

// compareText orders texts as people do: "b2" before "C1". Texts that differ only by case
// are in byte order.
func compareText(a, b string) int {
	for i := range min(len(a), len(b)) {
		if c := cmp.Compare(lower(a[i]), lower(b[i])); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// newestFirst orders by creation, backwards.
func newestFirst(createdA, createdB int64, a, b model.ID) int {
	return cmp.Or(cmp.Compare(createdB, createdA), slices.Compare(b[:], a[:]))
}

// keep filters items in place.
func keep[T any](items []*T, want func(*T) bool) []*T {
	return slices.DeleteFunc(items, func(v *T) bool { return !want(v) })
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

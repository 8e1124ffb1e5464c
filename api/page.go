package api

import (
	"strings"

	"github.com/tidewire/tidewire/model"
)

// linkOf reads the paging parameters (contract thingsboard 1.4).
func linkOf(size, page int, search, property, order *string) (model.PageLink, error) {
	l := model.PageLink{Size: size, Page: page, Search: orEmpty(search), Sort: orEmpty(property)}
	switch {
	case size < 1:
		return l, model.Invalidf("Incorrect page link page size '%d'. Page size must be greater than zero.", size)
	case page < 0:
		return l, model.Invalidf("Incorrect page link page '%d'. Page must be positive integer.", page)
	}
	switch o := strings.ToUpper(orEmpty(order)); o {
	case "", "ASC":
	case "DESC":
		l.Descending = true
	default:
		return l, model.Invalidf("Unsupported sort order '%.64s'! Only 'ASC' or 'DESC' types are allowed.", *order)
	}
	return l, nil
}

// A page is the numbers around the data of a list.
type page struct {
	pages   int
	total   int64
	hasNext bool
}

func pageOf[T any](p model.Page[T], l model.PageLink) page {
	pages := p.Pages(l.Size)
	return page{pages: pages, total: int64(p.Total), hasNext: l.Page < pages-1}
}

// each converts the elements of a list; an empty one is [] on the wire, not null.
func each[T, W any](data []T, convert func(*T) W) []W {
	out := make([]W, len(data))
	for i := range data {
		out[i] = convert(&data[i])
	}
	return out
}

// require refuses an absent or empty parameter.
func require(name, value string) error {
	if value == "" {
		return model.Invalidf("Parameter '%s' can't be empty!", name)
	}
	return nil
}

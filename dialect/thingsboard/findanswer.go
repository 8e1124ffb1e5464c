package thingsboard

import (
	"strconv"

	"github.com/tidewire/tidewire/model"
)

// AppendFound adds the page of entities a query found (contract 10.4). Entity fields carry
// now, ms.
func AppendFound(dst []byte, q *model.FindQuery, p model.Page[model.EntityData], now int64) []byte {
	dst = append(dst, `{"data":[`...)
	for i := range p.Data {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendEntityData(dst, q, &p.Data[i], now)
	}
	pages := p.Pages(q.Size)
	dst = append(dst, `],"totalPages":`...)
	dst = strconv.AppendInt(dst, int64(pages), 10)
	dst = append(dst, `,"totalElements":`...)
	dst = strconv.AppendInt(dst, int64(p.Total), 10)
	dst = append(dst, `,"hasNext":`...)
	dst = strconv.AppendBool(dst, q.Page < pages-1)
	return append(dst, '}')
}

// AppendEntityData adds one entity with its fields and latest values.
func AppendEntityData(dst []byte, q *model.FindQuery, d *model.EntityData, now int64) []byte {
	dst = AppendEntityRef(append(dst, `{"entityId":`...), d.Entity.Ref())
	dst = append(dst, `,"latest":{`...)
	first := true
	for kind := model.EntityField; kind <= model.AlarmField; kind++ {
		open := false
		value := func(k model.EntityKey, p model.Point) {
			if k.Kind != kind {
				return
			}
			if !open {
				if !first {
					dst = append(dst, ',')
				}
				first, open = false, true
				dst = append(AppendString(dst, KeyKindName(kind)), `:{`...)
			} else {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, k.Key), ':')
			dst = AppendShown(dst, p)
		}
		for i, k := range q.Fields {
			value(k, model.Point{TS: now, Value: d.Fields[i]})
		}
		for i, k := range q.Latest {
			value(k, d.Latest[i])
		}
		if open {
			dst = append(dst, '}')
		}
	}
	return append(dst, `},"timeseries":{},"aggLatest":{}}`...)
}

// AppendEntityRef adds {"entityType":…,"id":…}.
func AppendEntityRef(dst []byte, ref model.EntityRef) []byte {
	dst = append(dst, `{"entityType":"`...)
	dst = append(dst, ref.Type...)
	dst = append(dst, `","id":"`...)
	dst = model.ID(ref.ID).Append(dst)
	return append(dst, `"}`...)
}

// AppendShown adds a point as entity data shows it: always a text, and an empty one where
// there is no value.
func AppendShown(dst []byte, p model.Point) []byte {
	if p.Value.Type() <= model.TypeNull {
		dst = append(dst, `{"ts":`...)
		dst = strconv.AppendInt(dst, p.TS, 10)
		return append(dst, `,"value":""}`...)
	}
	return appendPoint(dst, p, false)
}

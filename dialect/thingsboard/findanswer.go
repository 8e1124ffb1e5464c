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
	return appendPageEnd(append(dst, ']'), q, p.Total)
}

// AppendEntityData adds one entity with its fields and latest values.
func AppendEntityData(dst []byte, q *model.FindQuery, d *model.EntityData, now int64) []byte {
	dst = AppendEntityRef(append(dst, `{"entityId":`...), d.Entity.Ref())
	dst = appendByKind(append(dst, `,"latest":`...), len(q.Fields)+len(q.Latest), func(i int) (model.EntityKey, model.Point) {
		if i < len(q.Fields) {
			return q.Fields[i], model.Point{TS: now, Value: d.Fields[i]}
		}
		i -= len(q.Fields)
		return q.Latest[i], d.Latest[i]
	})
	return append(dst, `,"timeseries":{},"aggLatest":{}}`...)
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

package thingsboard

import (
	"strconv"

	"github.com/tidewire/tidewire/model"
)

// AllowedEntities is how many entities one live query covers (contract 11.8).
const AllowedEntities = 10_000

// A WSShown is a value of an entity as a live query shows it.
type WSShown struct {
	Key   model.EntityKey
	Point model.Point
}

// A WSPoint is a point of a series, or an aggregate.
type WSPoint struct {
	model.Point
	Aggregated bool
	Count      int64 // of an aggregate
}

// A WSEntity is what a frame says of one entity.
type WSEntity struct {
	Ref    model.EntityRef
	Latest []WSShown
	// Series are in the order asked; a key without points is an empty list.
	Series []WSKeyPoints
	// Aggregates answer aggHistoryCmd and aggTsCmd.
	Aggregates []WSAggregated
}

// A WSKeyPoints is the points of one key.
type WSKeyPoints struct {
	Key    string
	Points []WSPoint
}

// A WSAggregated is the answer to a WSAggregate; nil means that it was not asked for.
type WSAggregated struct {
	ID                int64
	Current, Previous *WSPoint
}

// AppendWSEntity adds one entity of a reply.
func AppendWSEntity(dst []byte, e *WSEntity) []byte {
	dst = AppendEntityRef(append(dst, `{"entityId":`...), e.Ref)
	dst = append(dst, `,"latest":`...)
	dst = appendByKind(dst, len(e.Latest), e.shown)
	dst = e.appendSeries(append(dst, `,"timeseries":`...))
	dst = append(dst, `,"aggLatest":{`...)
	for i := range e.Aggregates {
		if i > 0 {
			dst = append(dst, ',')
		}
		a := &e.Aggregates[i]
		dst = append(strconv.AppendInt(append(dst, '"'), a.ID, 10), `":{`...)
		if a.Current != nil {
			dst = appendWSPoint(append(dst, `"current":`...), a.Current)
		}
		if a.Previous != nil {
			if a.Current != nil {
				dst = append(dst, ',')
			}
			dst = appendWSPoint(append(dst, `"previous":`...), a.Previous)
		}
		dst = append(dst, '}')
	}
	return append(dst, `}}`...)
}

func (e *WSEntity) shown(i int) (model.EntityKey, model.Point) {
	return e.Latest[i].Key, e.Latest[i].Point
}

// appendSeries adds {"key":[point,…],…}.
func (e *WSEntity) appendSeries(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range e.Series {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, e.Series[i].Key), ':', '[')
		for k := range e.Series[i].Points {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = appendWSPoint(dst, &e.Series[i].Points[k])
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendWSPoint(dst []byte, p *WSPoint) []byte {
	dst = AppendShown(dst, p.Point)
	if p.Aggregated {
		dst = append(dst[:len(dst)-1], `,"count":`...)
		dst = append(strconv.AppendInt(dst, p.Count, 10), '}')
	}
	return dst
}

// appendByKind adds {"kind":{"key":point,…},…} of n values.
func appendByKind(dst []byte, n int, at func(int) (model.EntityKey, model.Point)) []byte {
	dst = append(dst, '{')
	first := true
	for kind := model.EntityField; kind <= model.AlarmField; kind++ {
		open := false
		for i := range n {
			k, p := at(i)
			if k.Kind != kind {
				continue
			}
			switch {
			case open:
				dst = append(dst, ',')
			case !first:
				dst = append(dst, ',')
				fallthrough
			default:
				dst = append(AppendString(dst, KeyKindName(kind)), `:{`...)
				first, open = false, true
			}
			dst = append(AppendString(dst, k.Key), ':')
			dst = AppendShown(dst, p)
		}
		if open {
			dst = append(dst, '}')
		}
	}
	return append(dst, '}')
}

// wsEntityData is what follows the id in every frame of a live query.
const wsEntityData = `,"errorCode":0,"errorMsg":null,"allowedEntities":10000,"cmdUpdateType":"ENTITY_DATA","data":`

// AppendWSPage adds the reply to a new query: a page of size out of total entities.
func AppendWSPage(dst []byte, id int64, q *model.FindQuery, entities []WSEntity, total int, n *WSNote) []byte {
	dst = append(AppendWSCommandID(dst, id), wsEntityData...)
	dst = append(dst, `{"data":[`...)
	dst = appendWSEntities(dst, entities)
	dst = appendPageEnd(append(dst, ']'), q, total)
	return n.append(append(dst, `,"update":null`...))
}

// AppendWSReply adds the reply to a command about entities the client knows.
func AppendWSReply(dst []byte, id int64, entities []WSEntity, n *WSNote) []byte {
	dst = append(AppendWSCommandID(dst, id), wsEntityData...)
	dst = appendWSEntities(append(dst, `null,"update":[`...), entities)
	return n.append(append(dst, ']'))
}

// AppendWSChange adds what stands behind the id in a frame that tells all one change did to a live
// query: of each entity its latest values and points, either null where there are none.
func AppendWSChange(dst []byte, entities []WSEntity, n *WSNote) []byte {
	dst = append(append(dst, wsEntityData...), `null,"update":[`...)
	for i := range entities {
		e := &entities[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendEntityRef(append(dst, `{"entityId":`...), e.Ref)
		dst = append(dst, `,"latest":`...)
		if len(e.Latest) == 0 {
			dst = append(dst, `null`...)
		} else {
			dst = appendByKind(dst, len(e.Latest), e.shown)
		}
		dst = append(dst, `,"timeseries":`...)
		if len(e.Series) == 0 {
			dst = append(dst, `null`...)
		} else {
			dst = e.appendSeries(dst)
		}
		dst = append(dst, `,"aggLatest":null}`...)
	}
	return n.append(append(dst, ']'))
}

func appendWSEntities(dst []byte, entities []WSEntity) []byte {
	for i := range entities {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendWSEntity(dst, &entities[i])
	}
	return dst
}

// appendPageEnd adds the rest of a page behind its data.
func appendPageEnd(dst []byte, q *model.FindQuery, total int) []byte {
	pages := model.Page[struct{}]{Total: total}.Pages(q.Size)
	dst = strconv.AppendInt(append(dst, `,"totalPages":`...), int64(pages), 10)
	dst = strconv.AppendInt(append(dst, `,"totalElements":`...), int64(total), 10)
	dst = strconv.AppendBool(append(dst, `,"hasNext":`...), q.Page < pages-1)
	return append(dst, '}')
}

// BeginWSUpdate adds what stands between the id and the values of a live update: either of
// latest values of one kind or, for kind 0, of series.
func BeginWSUpdate(dst []byte, ref model.EntityRef, kind model.KeyKind) []byte {
	dst = append(dst, wsEntityData...)
	dst = AppendEntityRef(append(dst, `null,"update":[{"entityId":`...), ref)
	if kind == 0 {
		return append(dst, `,"latest":null,"timeseries":{`...)
	}
	dst = append(dst, `,"latest":{"`...)
	dst = append(dst, KeyKindName(kind)...)
	return append(dst, `":{`...)
}

// EndWSUpdate ends what BeginWSUpdate began.
func EndWSUpdate(dst []byte, kind model.KeyKind, n *WSNote) []byte {
	if kind == 0 {
		dst = append(dst, `},"aggLatest":null}]`...)
	} else {
		dst = append(dst, `}},"timeseries":null,"aggLatest":null}]`...)
	}
	return n.append(dst)
}

// AppendWSCount adds the reply to ENTITY_COUNT or ALARM_COUNT (contract 11.9).
func AppendWSCount(dst []byte, c *WSCommand, count int) []byte {
	dst = append(AppendWSCommandID(dst, c.ID), `,"count":`...)
	dst = strconv.AppendInt(dst, int64(count), 10)
	dst = append(dst, `,"errorCode":0,"errorMsg":null,"cmdUpdateType":"`...)
	if c.Type == WSAlarmCount {
		dst = append(dst, `ALARM_`...)
	}
	return append(dst, `COUNT_DATA"}`...)
}

// AppendWSNoAlarms adds the reply to ALARM_DATA where there are no alarms; entities is how
// many the query covers.
func AppendWSNoAlarms(dst []byte, id int64, entities int) []byte {
	dst = append(AppendWSCommandID(dst, id), `,"errorCode":0,"errorMsg":null,"allowedEntities":10000,"totalEntities":`...)
	dst = strconv.AppendInt(dst, int64(entities), 10)
	return append(dst, `,"cmdUpdateType":"ALARM_DATA","data":{"data":[],"totalPages":0,"totalElements":0,"hasNext":false},"update":null}`...)
}

// AppendWSNoAlarm adds the reply to ALARM_STATUS where there is no alarm.
func AppendWSNoAlarm(dst []byte, id int64) []byte {
	return append(AppendWSCommandID(dst, id), `,"active":false,"errorCode":0,"errorMsg":null,"cmdUpdateType":"ALARM_STATUS"}`...)
}

// AppendWSNoNotifications adds the reply to NOTIFICATIONS or NOTIFICATIONS_COUNT where there
// are none.
func AppendWSNoNotifications(dst []byte, c *WSCommand) []byte {
	dst = append(AppendWSCommandID(dst, c.ID), `,"errorCode":0,"errorMsg":null,"cmdUpdateType":"`...)
	dst = append(append(dst, c.Type...), `","totalUnreadCount":0,"sequenceNumber":1`...)
	if c.Type == WSNotifications {
		dst = append(dst, `,"notifications":[],"update":null`...)
	}
	return append(dst, '}')
}

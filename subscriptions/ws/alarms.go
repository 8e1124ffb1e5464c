package ws

import (
	"context"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// alarms carries out the commands about alarms and notifications, of which there are none
// (contract 11.9).
func (s *session) alarms(ctx context.Context, c *thingsboard.WSCommand) error {
	var frame []byte
	switch c.Type {
	case thingsboard.WSAlarmStatus:
		if _, err := s.allow(c, ReadAttributes); err != nil {
			return err
		}
		frame = thingsboard.AppendWSNoAlarm(nil, c.ID)
	case thingsboard.WSAlarmCount, thingsboard.WSAlarmData:
		n, err := s.alarmEntities(ctx, c)
		if err != nil {
			return err
		}
		if c.Type == thingsboard.WSAlarmData {
			frame = thingsboard.AppendWSNoAlarms(nil, c.ID, n)
		} else {
			frame = thingsboard.AppendWSCount(nil, c, 0)
		}
	case thingsboard.WSNotifications, thingsboard.WSNotificationsCount:
		frame = thingsboard.AppendWSNoNotifications(nil, c)
	default:
		return nil // marks what there is none of
	}
	s.conn.send(appendText(nil, frame))
	return nil
}

// alarmEntities checks the query of a command about alarms and counts its entities. Without
// an entity filter ALARM_COUNT is about everything.
func (s *session) alarmEntities(ctx context.Context, c *thingsboard.WSCommand) (int, error) {
	who, check, query := s.principal(), thingsboard.CheckFindAlarms, c.Query
	switch {
	case query == nil && c.Type == thingsboard.WSAlarmData:
		return 0, model.Invalidf("query is missing")
	case query == nil:
		query = []byte("{}")
	}
	if c.Type == thingsboard.WSAlarmCount {
		check = thingsboard.CheckCountAlarms
	}
	if err := check(query, who); err != nil {
		return 0, err
	}
	if !c.HasFilter() {
		return 0, nil
	}
	find, err := thingsboard.ParseFindCount(query, who)
	if err != nil {
		return 0, err
	}
	return s.server.deps.Entities.Count(ctx, who, find)
}

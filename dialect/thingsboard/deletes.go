package thingsboard

import (
	"strings"

	"github.com/tidewire/tidewire/model"
)

// DeleteParams are the parameters of a deletion of time series as a client gave them
// (contract 8.6). Nil means not given.
type DeleteParams struct {
	Keys                   *string  // comma list, not trimmed
	Key                    []string // replaces Keys when it holds anything
	DeleteAllDataForKeys   bool
	StartTS, EndTS         *int64 // ms
	DeleteLatest           *bool  // nil means true
	RewriteLatestIfDeleted bool
}

// DeleteRange checks the parameters and fills in the defaults; the caller adds tenant and
// entity. With deleteAllDataForKeys the range ends at now, ms.
func (p *DeleteParams) DeleteRange(now int64) (model.DeleteRange, error) {
	d := model.DeleteRange{
		Scope:         model.Timeseries,
		Keys:          ParseKeys(p.Keys, p.Key),
		To:            now,
		KeepLatest:    p.DeleteLatest != nil && !*p.DeleteLatest,
		RewriteLatest: p.RewriteLatestIfDeleted,
		Received:      now,
	}
	if len(d.Keys) == 0 {
		return d, noKeys()
	}
	if p.DeleteAllDataForKeys {
		return d, nil
	}
	if p.StartTS == nil || p.EndTS == nil {
		return d, model.Invalidf("When deleteAllDataForKeys is false, start and end timestamp values shouldn't be empty")
	}
	d.From, d.To = *p.StartTS, *p.EndTS
	return d, nil
}

func noKeys() error { return model.Invalidf("Empty keys: []") }

// RemoveAttributes returns the write set that removes attributes of scope (contract 8.5):
// a null for each key. The caller adds tenant and entity.
func RemoveAttributes(scope model.Scope, keys []string, received int64) (*model.WriteSet, error) {
	if len(keys) == 0 {
		return nil, noKeys()
	}
	set := &model.WriteSet{
		Scope:    scope,
		Received: received,
		Keys:     keys,
		Rows:     []model.Row{{TS: received, Cells: len(keys)}},
		Cells:    make([]model.Cell, len(keys)),
	}
	for i, key := range keys {
		if strings.TrimSpace(key) == "" {
			return nil, model.Invalidf("Key cannot be blank")
		}
		set.Cells[i] = model.Cell{Key: i, Value: model.Null()}
	}
	return set, nil
}

// A Selection is what a client asks of one scope.
type Selection struct {
	Wanted bool
	Keys   []string // nil means all
}

// SelectDeviceAttributes reads the parameters clientKeys and sharedKeys of a device's
// attribute request (contract 5): neither means all of both scopes, one means only that scope.
func SelectDeviceAttributes(clientKeys, sharedKeys *string) (client, shared Selection) {
	neither := clientKeys == nil && sharedKeys == nil
	client = Selection{Wanted: neither || clientKeys != nil, Keys: ParseKeys(clientKeys, nil)}
	shared = Selection{Wanted: neither || sharedKeys != nil, Keys: ParseKeys(sharedKeys, nil)}
	return client, shared
}

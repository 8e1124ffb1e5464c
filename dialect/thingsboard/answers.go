package thingsboard

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// AppendLatest adds the answer to a latest query (contract 8.2): an object of one point per
// key. points is a snapshot's, sorted by key. Keys given are answered in their order, those
// without a value with null at now, ms; nil keys mean every point of the snapshot.
func AppendLatest(dst []byte, points []model.KeyPoint, keys []string, now int64, strict bool) []byte {
	dst = append(dst, '{')
	if keys == nil {
		for i := range points {
			dst = appendLatestOf(dst, i == 0, points[i].Key, points[i].Point, strict)
		}
		return append(dst, '}')
	}
	first := true
	for i, key := range keys {
		if slices.Contains(keys[:i], key) {
			continue
		}
		point := model.Point{TS: now}
		if at, ok := findKey(points, key); ok {
			point = points[at].Point
		}
		dst = appendLatestOf(dst, first, key, point, strict)
		first = false
	}
	return append(dst, '}')
}

func appendLatestOf(dst []byte, first bool, key string, p model.Point, strict bool) []byte {
	if !first {
		dst = append(dst, ',')
	}
	dst = AppendString(dst, key)
	dst = append(dst, ':', '[')
	dst = appendPoint(dst, p, strict)
	return append(dst, ']')
}

// appendPoint adds {"ts":1,"value":"2"}.
func appendPoint(dst []byte, p model.Point, strict bool) []byte {
	dst = append(dst, `{"ts":`...)
	dst = strconv.AppendInt(dst, p.TS, 10)
	dst = append(dst, `,"value":`...)
	dst = appendValue(dst, p.Value, strict)
	return append(dst, '}')
}

func findKey(points []model.KeyPoint, key string) (int, bool) {
	return slices.BinarySearchFunc(points, key, func(p model.KeyPoint, key string) int {
		return strings.Compare(p.Key, key)
	})
}

// AppendAttributes adds the answer to an attribute query (contract 8.1): an array of
// lastUpdateTs, key and typed value. Several snapshots, one a scope, are joined; a key may
// then stand more than once.
func AppendAttributes(dst []byte, scopes ...[]model.KeyPoint) []byte {
	dst = append(dst, '[')
	first := true
	for _, points := range scopes {
		for i := range points {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(dst, `{"lastUpdateTs":`...)
			dst = strconv.AppendInt(dst, points[i].TS, 10)
			dst = append(dst, `,"key":`...)
			dst = AppendString(dst, points[i].Key)
			dst = append(dst, `,"value":`...)
			dst = AppendTyped(dst, points[i].Value)
			dst = append(dst, '}')
		}
	}
	return append(dst, ']')
}

// AppendKeys adds the answer to a key query (contract 8.1): an array of names. Lists of
// several scopes are joined.
func AppendKeys(dst []byte, scopes ...[]string) []byte {
	dst = append(dst, '[')
	first := true
	for _, keys := range scopes {
		for _, key := range keys {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = AppendString(dst, key)
		}
	}
	return append(dst, ']')
}

// AppendDeviceAttributes adds what a device gets when it asks for attributes (contract 5):
// {"client":{…},"shared":{…}} with typed values; a section with nothing to show is left out.
func AppendDeviceAttributes(dst []byte, client, shared []model.KeyPoint) []byte {
	dst = append(dst, '{')
	if len(client) > 0 {
		dst = append(dst, `"client":`...)
		dst = AppendValues(dst, client)
	}
	if len(shared) > 0 {
		if len(client) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `"shared":`...)
		dst = AppendValues(dst, shared)
	}
	return append(dst, '}')
}

// AppendValues adds {"key":typed value,…}.
func AppendValues(dst []byte, points []model.KeyPoint) []byte {
	dst = append(dst, '{')
	for i := range points {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, points[i].Key)
		dst = append(dst, ':')
		dst = AppendTyped(dst, points[i].Value)
	}
	return append(dst, '}')
}

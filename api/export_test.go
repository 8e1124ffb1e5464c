package api

import (
	"maps"
	"slices"
)

// TypedParameters lets tests hold the list against the document.
var TypedParameters = typed

// AuditTables returns the operations that the audit log treats by name.
func AuditTables() []string {
	return slices.Concat(slices.Collect(maps.Keys(unaudited)), slices.Collect(maps.Keys(actions)))
}

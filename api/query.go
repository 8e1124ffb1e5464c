package api

import (
	"net/url"
	"slices"
	"strings"
)

// typed are the query parameters that are no free text. Where clients leave one empty
// ("startTs=") they mean what they mean by leaving it out.
var typed = []string{
	"active", "agg", "aggs", "assetProfileId", "at", "attributes", "deleteAllDataForKeys", "deleteLatest", "deviceId", "deviceProfileId",
	"endTime", "endTs", "fromId", "fromType", "interval", "intervalType", "keepOriginals", "limit", "orderBy", "overlapSeconds", "page",
	"pageSize", "quality", "rewriteLatestIfDeleted", "scope", "sendActivationMail", "serviceType", "sortOrder", "startTime", "startTs", "tenantId",
	"timeseries", "toId", "toType", "useStrictDataTypes", "userCredentialsEnabled",
}

// dropEmpty takes typed parameters without a value out of u.
func dropEmpty(u *url.URL) {
	if q := u.RawQuery; !strings.HasSuffix(q, "=") && !strings.Contains(q, "=&") {
		return
	}
	parts := slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(part string) bool {
		name, value, _ := strings.Cut(part, "=")
		return value == "" && slices.Contains(typed, name)
	})
	u.RawQuery = strings.Join(parts, "&")
}

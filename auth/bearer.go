package auth

import "strings"

// BearerToken picks the access token from the two headers it may stand in; X-Authorization
// wins (contract thingsboard 2.2). An API token or key may also stand behind the scheme "ApiKey".
func BearerToken(xAuthorization, authorization string) (string, error) {
	header := xAuthorization
	if header == "" {
		header = authorization
	}
	scheme, token, ok := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !ok || token == "" || !strings.EqualFold(scheme, "Bearer") && (!strings.EqualFold(scheme, "ApiKey") || !isAPIToken(token)) {
		return "", errNoToken()
	}
	return token, nil
}

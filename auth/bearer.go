package auth

import "strings"

// BearerToken picks the access token from the two headers it may stand in; X-Authorization
// wins (contract thingsboard 2.2).
func BearerToken(xAuthorization, authorization string) (string, error) {
	header := xAuthorization
	if header == "" {
		header = authorization
	}
	scheme, token, ok := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", errNoToken()
	}
	return token, nil
}

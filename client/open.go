package client

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Options tune a client. Zero fields mean what they say.
type Options struct {
	// HTTP sends requests; nil means one without a timeout, since streams may be long: bound
	// calls by their context.
	HTTP *http.Client
	// UserAgent names the program in the server's list of sessions. Empty means "tidewire-go".
	UserAgent string
}

// Open returns a client of the server at a URL such as http://127.0.0.1:8080. Nothing is sent
// until the first call.
func Open(server string, who Credentials, o Options) (*ClientWithResponses, error) {
	base, err := parseServer(server)
	if err != nil {
		return nil, err
	}
	s := &session{
		http:  cmp.Or(o.HTTP, &http.Client{}),
		base:  base,
		agent: cmp.Or(o.UserAgent, "tidewire-go"),
		who:   who,
	}
	return NewClientWithResponses(base, WithHTTPClient(s))
}

// parseServer returns a base URL without a slash at its end.
func parseServer(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("server %q is not a URL such as http://127.0.0.1:8080", server)
	}
	return strings.TrimSuffix(server, "/"), nil
}

// Credentials say who is asking. The zero value is nobody.
type Credentials struct {
	token              string
	username, password string
}

// Token is a scoped API token, or the access token of a session that somebody else renews.
func Token(token string) Credentials { return Credentials{token: token} }

// Login is a user. The session is opened with the first call and renewed when its token expires.
func Login(username, password string) Credentials {
	return Credentials{username: username, password: password}
}

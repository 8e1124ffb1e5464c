package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// Headers that answers have; shared, since a header is only ever replaced or grown.
var (
	jsonType   = []string{"application/json"}
	nosniff    = []string{"nosniff"}
	noStore    = []string{"no-store"}
	noReferrer = []string{"no-referrer"} // addresses may carry one-time tokens
	// apiPolicy is of answers that are no page: opened as one, they run and load nothing.
	apiPolicy = []string{"default-src 'none'; frame-ancestors 'none'"}
	// pagePolicy keeps the page to its own origin. The component library writes style
	// attributes; everything else comes from files.
	pagePolicy = []string{"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
		"object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"}
	// noFeatures takes from the page what it never asks a browser for.
	noFeatures = []string{"camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), bluetooth=(), display-capture=()"}
	// hsts lasts a year, and says nothing about other names below the domain.
	hsts = []string{"max-age=31536000"}
)

// harden sets what every answer says to browsers.
func (s *Server) harden(header http.Header, r *http.Request) {
	header["X-Content-Type-Options"] = nosniff
	header["Referrer-Policy"] = noReferrer
	header["Content-Security-Policy"] = apiPolicy
	header["Permissions-Policy"] = noFeatures
	if r.TLS != nil || s.isTrusted(r) && r.Header.Get("X-Forwarded-Proto") == "https" {
		header["Strict-Transport-Security"] = hsts
	}
}

// cors lets pages of the listed origins call /api/**, and says nothing to those of others, whose
// browsers keep the answer from them. It reports whether the request was a mere question
// whether it may. A listed origin may send credentials; "*" lets every page call, without.
func (s *Server) cors(header http.Header, r *http.Request) (asked bool, err error) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false, nil
	}
	header.Add("Vary", "Origin")
	method := r.Header.Get("Access-Control-Request-Method")
	asked = r.Method == http.MethodOptions && method != ""
	switch {
	case s.isListed(origin):
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true")
	case slices.Contains(s.CORSOrigins, "*"):
		header.Set("Access-Control-Allow-Origin", "*")
	case asked && !s.isOwn(origin, r):
		return false, model.Errorf(model.Denied, "Pages of this origin may not call the server")
	default:
		return asked, nil
	}
	header.Set("Access-Control-Expose-Headers", "Retry-After, RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset")
	if !asked {
		return false, nil
	}
	header.Set("Access-Control-Allow-Methods", method)
	if wanted := r.Header.Get("Access-Control-Request-Headers"); wanted != "" {
		header.Set("Access-Control-Allow-Headers", wanted)
	}
	header.Set("Access-Control-Max-Age", "3600")
	return true, nil
}

// isListed reports whether the operator named an origin.
func (s *Server) isListed(origin string) bool {
	return origin != "*" && slices.Contains(s.CORSOrigins, strings.ToLower(origin))
}

// isOwn reports whether an origin is the server's own: that which the request came to, or
// that under which the operator says it is reached. Schemes are not compared, for a proxy that
// is not trusted may hide the one the browser sees.
func (s *Server) isOwn(origin string, r *http.Request) bool {
	from, err := url.Parse(origin)
	if err != nil || from.Host == "" {
		return false
	}
	for _, own := range []string{(&request{http: r, server: s}).origin(), "http://" + r.Host, s.PublicURL} {
		if to, err := url.Parse(own); err == nil && strings.EqualFold(to.Host, from.Host) {
			return true
		}
	}
	return false
}

// checkSocketOrigin refuses sockets of foreign pages, to which browsers apply no CORS.
// Programs, which send no Origin, pass.
func (s *Server) checkSocketOrigin(r *http.Request) error {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 || slices.Contains(s.CORSOrigins, "*") {
		return nil
	}
	if len(origins) == 1 && (s.isListed(origins[0]) || s.isOwn(origins[0], r)) {
		return nil
	}
	return model.Errorf(model.Denied, "Pages of this origin may not open sockets here")
}

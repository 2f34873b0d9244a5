package providers

import (
	"net/url"
	"strings"
)

// Endpoint returns path below base, for Provider.URL. path is in escaped form and begins
// with a slash; base may end with one. query is appended byte for byte to base's own,
// which some deployments need (api-version=…). base is not modified.
func Endpoint(base *url.URL, path, query string) *url.URL {
	u := *base
	u.Fragment, u.RawFragment = "", ""
	u.Path = strings.TrimSuffix(base.Path, "/") + path
	u.RawPath = ""
	if base.RawPath != "" || strings.Contains(path, "%") {
		u.RawPath = strings.TrimSuffix(base.EscapedPath(), "/") + path
		if plain, err := url.PathUnescape(u.RawPath); err == nil {
			u.Path = plain
		}
	}
	switch {
	case u.RawQuery == "":
		u.RawQuery = query
	case query != "":
		u.RawQuery += "&" + query
	}
	return &u
}

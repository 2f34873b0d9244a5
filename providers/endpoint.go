package providers

import (
	"fmt"
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

// ResponsePath returns the path below OpenAI's base of an operation on one response, empty
// if call is no such operation. An id that is empty or would lead out of the responses is
// an error.
func ResponsePath(call Call) (string, error) {
	if call.Format != OpenAIResponses {
		return "", nil
	}
	action := ""
	switch call.Operation {
	case Retrieve, Delete:
	case Cancel:
		action = "/cancel"
	case ListInput:
		action = "/input_items"
	default:
		return "", nil
	}
	if call.Resource == "" || call.Resource == "." || call.Resource == ".." {
		return "", fmt.Errorf("%s %q: not a response id", call.Operation, call.Resource)
	}
	return "/responses/" + url.PathEscape(call.Resource) + action, nil
}

package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The checks of single values. Their errors do not quote the value unless it cannot hold
// a secret.

// loopback reports whether only this machine reaches listen. Its error says why listen
// is not a host:port address.
func loopback(listen string) (bool, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return false, errors.New("must be host:port, such as 127.0.0.1:8317")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false, errors.New("the port must be a number between 0 and 65535")
	}
	if strings.ContainsFunc(host, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("/@?#", r) }) {
		return false, errors.New("the host must be an IP address, a host name or empty")
	}
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback(), nil
}

// checkName checks names that are part of model addressing.
func checkName(s string) error {
	if s == "" {
		return errors.New("is required")
	}
	if !madeOf(s, "._-") {
		return fmt.Errorf("%q may hold only letters, digits, '.', '_' and '-'", s)
	}
	return nil
}

// checkID checks credential ids, which are part of management URLs.
func checkID(s string) error {
	if s == "" {
		return errors.New("is required")
	}
	if !madeOf(s, ".-_:@+") {
		return fmt.Errorf("%q may hold only letters, digits and the characters .-_:@+", s)
	}
	return nil
}

// madeOf reports whether s holds only ASCII letters, digits and the characters of marks.
func madeOf(s, marks string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(marks, r)
	})
}

// checkText checks names that people choose freely and globs over them.
func checkText(s string) error {
	switch {
	case s == "":
		return errors.New("must not be empty")
	case s != strings.TrimSpace(s):
		return errors.New("must not begin or end with a space")
	case strings.ContainsFunc(s, unicode.IsControl):
		return errors.New("must not hold control characters")
	}
	return nil
}

// checkSecret checks keys that travel in a header.
func checkSecret(s string) error {
	switch {
	case s == "":
		return errors.New("is required and must not be empty")
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errors.New("must not hold spaces, line breaks or control characters")
	}
	return nil
}

// checkProject checks the id or number of a Google Cloud project, such as my-project or
// example.com:my-project.
func checkProject(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("is required for kind %s", KindVertex)
	case !madeOf(s, "-.:") || strings.Trim(s, "-.:") != s:
		return fmt.Errorf("%q is not the id or number of a project", s)
	}
	return nil
}

// checkLocation checks the name of a Google Cloud location. It becomes part of a host name.
func checkLocation(s string) error {
	switch {
	case s == "":
		return fmt.Errorf(`is required for kind %s: a region, or "us", "eu" or "global"`, KindVertex)
	case !madeOf(s, "-") || strings.Trim(s, "-") != s || strings.ToLower(s) != s:
		return fmt.Errorf(`%q is not a location, such as "europe-west4" or "global"`, s)
	}
	return nil
}

func checkBaseURL(s string) error {
	u, err := webURL(s)
	switch {
	case err != nil:
		return err
	case u.User != nil:
		return errors.New("must not hold a user or password; use api-key or headers")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("must not have a query or fragment")
	}
	return nil
}

// checkTokenURL checks the address of an authorization server, which may have a query.
func checkTokenURL(s string) error {
	u, err := webURL(s)
	switch {
	case err != nil:
		return err
	case u.User != nil:
		return errors.New("must not hold a user or password")
	case u.Fragment != "":
		return errors.New("must not have a fragment")
	}
	return nil
}

func webURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("is not a URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("must be an absolute http or https URL")
	}
	return u, nil
}

func checkProxyURL(s string) error {
	if s == "" || s == "direct" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return errors.New("is not a URL")
	}
	if !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) || u.Hostname() == "" {
		return errors.New(`must be an http, https or socks5 URL, or "direct"`)
	}
	return nil
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

package main

import (
	"errors"
	"regexp"
	"slices"

	"github.com/understudyhq/understudy/config"
)

// endpoint is what a configuration file says about how its gateway is reached and managed.
type endpoint struct {
	listen     string
	tls        config.TLS
	addressErr error // why listen and tls are not known
	key        string
	keyErr     error // why the file gives no key
}

// readEndpoint reads the file at path. Nothing else in it matters: a gateway may run with an
// earlier version of the file, or with variables that are not set here.
func readEndpoint(path string, getenv func(string) (string, bool)) endpoint {
	c, wrong, err := config.Skim(path, getenv)
	if err != nil {
		return endpoint{addressErr: err, keyErr: err}
	}
	at := func(paths ...string) error {
		i := slices.IndexFunc(wrong, func(e *config.Error) bool { return slices.Contains(paths, e.Path) })
		if i < 0 {
			return nil
		}
		return wrong[i]
	}
	e := endpoint{listen: c.Listen, tls: c.TLS, addressErr: at("", "listen", "tls", "tls.cert-file", "tls.key-file")}
	e.keyErr = at("", "management", "management.secret-key")
	switch key := c.Management.SecretKey; {
	case e.keyErr != nil:
	case key == "":
		e.keyErr = errors.New("management.secret-key is not set in " + path)
	case regexp.MustCompile(`^\$2[abxy]?\$`).MatchString(key):
		e.keyErr = errors.New("management.secret-key in " + path + " is a hash, which does not tell the key")
	default:
		e.key = key
	}
	return e
}

package understudy

import (
	"net/http"
	"time"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/http/admin"
)

// WithConfigFile names the file that New's configuration was loaded from. The management API
// shows it, and makes its changes in it and in the files of its credentials-dir. getenv is that
// of config.Load. Without this option such changes last as long as the gateway.
func WithConfigFile(path string, getenv func(string) (string, bool)) Option {
	return func(o *options) { o.file, o.getenv = path, getenv }
}

// ManagementHandler returns the handler of the management API, with paths below where it is
// mounted: http.StripPrefix("/v0/management", gw.ManagementHandler()). It answers whoever has
// the configured management key, and 404 to all while there is none.
func (g *Gateway) ManagementHandler() http.Handler { return g.admin }

// manage makes the management API.
func (g *Gateway) manage() {
	getenv := g.options.getenv
	if getenv == nil {
		getenv = func(string) (string, bool) { return "", false }
	}
	g.admin = admin.New(admin.Options{
		Engine: g.engine, Settings: &settings{gateway: g, file: g.options.file, getenv: getenv},
		Judge: g.server.Judge, Logger: g.options.logger, Version: g.options.version, StartedAt: time.Now(), Captures: g.captures,
	})
}

// config returns the running configuration.
func (g *Gateway) config() *config.Config {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cfg
}

// texts returns changes as subscribers are told of them.
func texts(changes []config.Change) []string {
	list := make([]string, len(changes))
	for i, c := range changes {
		list[i] = c.String()
	}
	return list
}

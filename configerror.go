package understudy

import (
	"context"
	"time"

	"github.com/understudyhq/understudy/actors"
)

// Snapshot is what a gateway knows at one instant.
type Snapshot struct {
	actors.Snapshot

	// ConfigError is what is wrong with the newest configuration.
	ConfigError ConfigError
}

// ConfigError says why the newest configuration does not run, or not as a whole. The zero
// value says that it does.
type ConfigError struct {
	// Text is one line per problem, each with its file, line and YAML path as far as they are
	// known, and never with a secret.
	Text string
	// At is when it was found, or found again, in UTC.
	At time.Time
}

// Snapshot returns what the gateway knows now.
func (g *Gateway) Snapshot(ctx context.Context) (Snapshot, error) {
	s, err := g.engine.Snapshot(ctx)
	if err != nil {
		return Snapshot{}, ours(err)
	}
	return Snapshot{Snapshot: s, ConfigError: *g.configError.Load()}, nil
}

// NoteConfigError makes err the ConfigError of later snapshots. Apply notes its own errors,
// and that there is none; a host that reads files notes what it cannot apply: a file that
// is unreadable or invalid or, after Apply, credential files that were left out. nil = the
// newest configuration runs as a whole.
func (g *Gateway) NoteConfigError(err error) {
	var noted ConfigError
	if err != nil {
		noted = ConfigError{Text: err.Error(), At: time.Now().UTC()}
	}
	g.configError.Store(&noted)
}

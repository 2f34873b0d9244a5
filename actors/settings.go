package actors

import (
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

// Settings are the rules the engine follows. They may change at any time.
type Settings struct {
	Routing  config.Routing
	Cooldown config.Cooldown
}

// policy returns the cooldown rules of s.
func (s Settings) policy() cooldown.Policy {
	return cooldown.Policy{
		Base:         cooldown.DefaultBase,
		Max:          s.Cooldown.Max,
		TransientMax: s.Cooldown.TransientMax,
		Disabled:     s.Cooldown.Disabled,
	}
}

// Plan is all the engine works with: its settings and every credential, in configuration
// order. It is a whole snapshot; what it does not name is not there.
type Plan struct {
	Settings    Settings
	Credentials []*providers.Credential
}

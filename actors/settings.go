package actors

import (
	"crypto/sha256"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Settings are the rules the engine follows. They may change at any time.
type Settings struct {
	Routing  config.Routing
	Cooldown config.Cooldown
}

// policy returns the cooldown rules of s for c, whose own setting counts more.
func (s Settings) policy(c *providers.Credential) cooldown.Policy {
	p := cooldown.Policy{
		Base:         cooldown.DefaultBase,
		Max:          s.Cooldown.Max,
		TransientMax: s.Cooldown.TransientMax,
		Disabled:     s.Cooldown.Disabled,
	}
	if c.DisableCooldown != nil {
		p.Disabled = *c.DisableCooldown
	}
	return p
}

// Plan is all the engine works with: its settings and every credential, in configuration
// order. It is a whole snapshot; what it does not name is not there.
type Plan struct {
	Settings    Settings
	Credentials []*providers.Credential
}

// SessionNamed returns the keys of a session that a host names itself, for one model. An
// empty name is no session.
func SessionNamed(name, model string) session.Keys {
	if name == "" {
		return session.Keys{}
	}
	sum := sha256.Sum256([]byte("host\x00" + model + "\x00" + name))
	return session.Keys{Primary: session.Key(sum[:16])}
}

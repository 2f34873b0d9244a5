package admin

import (
	"slices"
	"time"
	"unicode/utf8"

	"github.com/understudyhq/understudy/config"
)

type (
	routingView struct {
		Strategy           string `json:"strategy" enum:"round-robin,fill-first,weighted,least-loaded"`
		SessionAffinity    bool   `json:"session-affinity"`
		SessionAffinityTTL string `json:"session-affinity-ttl" description:"A duration, such as 1h0m0s."`
	}
	// routingPatch is a change of the routing. What is not given stays.
	routingPatch struct {
		Strategy           *string `json:"strategy,omitempty" enum:"round-robin,rr,fill-first,ff,weighted,wrr,least-loaded"`
		SessionAffinity    *bool   `json:"session-affinity,omitempty"`
		SessionAffinityTTL *string `json:"session-affinity-ttl,omitempty" description:"A duration of at least 1s, such as 90m."`
	}
	changedRouting struct {
		changed
		Routing routingView `json:"routing"`
	}
)

func routingOf(c *config.Config) routingView {
	r := c.Routing
	return routingView{Strategy: string(r.Strategy), SessionAffinity: r.SessionAffinity, SessionAffinityTTL: r.SessionAffinityTTL.String()}
}

func showRouting(c *call) (any, error) { return routingOf(c.server.Settings.Config()), nil }

func (p routingPatch) sets() ([]config.Set, error) {
	var sets []config.Set
	if p.Strategy != nil {
		known := []string{"round-robin", "rr", "fill-first", "ff", "weighted", "wrr", "least-loaded"}
		if !slices.Contains(known, *p.Strategy) {
			return nil, badRequest("invalid_field", "strategy must be round-robin, fill-first, weighted or least-loaded.")
		}
		sets = append(sets, config.Set{Key: "strategy", Value: *p.Strategy})
	}
	if p.SessionAffinity != nil {
		sets = append(sets, config.Set{Key: "session-affinity", Value: *p.SessionAffinity})
	}
	if p.SessionAffinityTTL != nil {
		ttl, err := time.ParseDuration(*p.SessionAffinityTTL)
		if err != nil || ttl < time.Second {
			return nil, badRequest("invalid_field", "session-affinity-ttl must be a duration of at least 1s, such as 90m.")
		}
		sets = append(sets, config.Set{Key: "session-affinity-ttl", Value: ttl})
	}
	if len(sets) == 0 {
		return nil, badRequest("nothing_to_change", "Give at least one of strategy, session-affinity, session-affinity-ttl.")
	}
	return sets, nil
}

func changeRouting(c *call) (any, error) {
	var patch routingPatch
	if err := c.decode(&patch); err != nil {
		return nil, err
	}
	sets, err := patch.sets()
	if err != nil {
		return nil, err
	}
	before := routingOf(c.server.Settings.Config())
	applied, err := c.server.Settings.SetRouting(sets)
	if err != nil {
		return nil, err
	}
	after := routingOf(c.server.Settings.Config())
	c.audit("routing", "", before, after)
	return changedRouting{changed: changedBy(applied), Routing: after}, nil
}

func showConfig(c *call) (any, error) { return c.server.Settings.Text() }

func replaceConfig(c *call) (any, error) {
	text, err := c.readAll()
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(text) {
		return nil, badRequest("invalid_yaml", "The body is not UTF-8 text.")
	}
	before := c.server.Settings.Config()
	applied, err := c.server.Settings.Replace(text)
	if err != nil {
		return nil, err
	}
	was, is := config.Values(before, applied.Changes), config.Values(c.server.Settings.Config(), applied.Changes)
	c.audit("configuration", "", was, is)
	return changedBy(applied), nil
}

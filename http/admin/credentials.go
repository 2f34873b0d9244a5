package admin

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

type (
	credentialPage struct {
		Data []credentialView `json:"data"`
		Next string           `json:"next,omitempty"`
	}
	credentialView struct {
		ID             string      `json:"id"`
		Provider       string      `json:"provider"`
		Account        string      `json:"account,omitempty"`
		Status         string      `json:"status" enum:"active,resting,unauthorized,disabled,draining,restarting,failed"`
		Reason         string      `json:"reason,omitempty"`
		Until          *time.Time  `json:"until,omitempty" description:"When it is likely to be back."`
		Disabled       bool        `json:"disabled"`
		Priority       int         `json:"priority"`
		Weight         int         `json:"weight"`
		MaxConcurrency int         `json:"max-concurrency" description:"0 = no limit."`
		InFlight       int         `json:"in_flight"`
		Sessions       int         `json:"sessions" description:"Bound to it."`
		Models         []modelRest `json:"models" description:"That were used or rest."`
		Quotas         []quota     `json:"quotas" description:"Limits as the upstream told them last."`
		Counters       counters    `json:"counters" description:"Since the start."`
		LastError      *lastError  `json:"last_error,omitempty"`
		ExpiresAt      *time.Time  `json:"expires_at,omitempty" description:"Of its access token."`
	}
	modelRest struct {
		Name    string     `json:"name"`
		Status  string     `json:"status" enum:"ready,resting"`
		Reason  string     `json:"reason,omitempty"`
		Since   *time.Time `json:"since,omitempty"`
		Until   *time.Time `json:"until,omitempty"`
		ProbeAt *time.Time `json:"probe_at,omitempty" description:"When one request is let through to see."`
	}
	quota struct {
		Name        string     `json:"name"`
		Limit       *int64     `json:"limit,omitempty"`
		Remaining   *int64     `json:"remaining,omitempty"`
		Utilization *float64   `json:"utilization,omitempty"`
		ResetAt     *time.Time `json:"reset_at,omitempty"`
		Status      string     `json:"status,omitempty"`
	}
	counters struct {
		Attempts uint64 `json:"attempts"`
		Served   uint64 `json:"served"`
		Failed   uint64 `json:"failed"`
		tokens
	}
	lastError struct {
		At     time.Time `json:"at"`
		Model  string    `json:"model"`
		Kind   string    `json:"kind"`
		Status int       `json:"status,omitempty"`
		Reason string    `json:"reason,omitempty"`
	}
)

func viewOf(v actors.CredentialView, now time.Time) credentialView {
	view := credentialView{
		ID: string(v.ID), Provider: v.Provider, Account: v.Account, Status: v.Status, Reason: v.Reason, Until: instant(v.Until),
		Disabled: v.Disabled, Priority: v.Priority, Weight: v.Weight, MaxConcurrency: v.MaxConcurrency,
		InFlight: v.InFlight, Sessions: v.Sessions, Models: []modelRest{}, Quotas: []quota{},
		Counters: counters{Attempts: v.Attempts, Served: v.Served, Failed: v.Failed, tokens: tokensOf(v.Usage)}, ExpiresAt: instant(v.ExpiresAt),
	}
	for _, m := range v.Models {
		rest := modelRest{Name: m.Name, Status: "ready"}
		if m.State.Resting(now) {
			rest.Status, rest.Reason = "resting", string(m.State.Kind)
			rest.Since, rest.Until, rest.ProbeAt = instant(m.State.Since), instant(m.State.Until), instant(m.State.ProbeAt)
		}
		view.Models = append(view.Models, rest)
	}
	for _, q := range v.Windows {
		view.Quotas = append(view.Quotas, quota{
			Name: q.Name, Limit: reported(q.Limit), Remaining: reported(q.Remaining), Utilization: reported(q.Utilization),
			ResetAt: instant(q.ResetAt), Status: q.Status,
		})
	}
	if e := v.LastError; e != nil {
		view.LastError = &lastError{At: e.At.UTC(), Model: e.Model, Kind: string(e.Kind), Status: e.Status, Reason: e.Reason}
	}
	return view
}

func tokensOf(u providers.Usage) tokens {
	return tokens{Input: u.InputTokens, Output: u.OutputTokens, Cached: u.CachedTokens}
}

// instant returns t for showing; nil if it is not known.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// reported returns n; nil if it is negative, which means that it was not reported.
func reported[T int64 | float64](n T) *T {
	if n < 0 {
		return nil
	}
	return &n
}

func listCredentials(c *call) (any, error) {
	known, err := c.server.Engine.Snapshot(c.ctx)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(c, known.Credentials, func(v actors.CredentialView) string { return string(v.ID) })
	if err != nil {
		return nil, err
	}
	answer := credentialPage{Data: make([]credentialView, len(page)), Next: next}
	for i, v := range page {
		answer.Data[i] = viewOf(v, known.At)
	}
	return answer, nil
}

func showCredential(c *call) (any, error) { return c.credential(c.param("id")) }

// credential returns what is to be shown of a credential.
func (c *call) credential(id string) (credentialView, error) {
	known, err := c.server.Engine.Snapshot(c.ctx)
	if err != nil {
		return credentialView{}, err
	}
	i, found := slices.BinarySearchFunc(known.Credentials, id, func(v actors.CredentialView, id string) int { return strings.Compare(string(v.ID), id) })
	if !found {
		return credentialView{}, ErrNotFound
	}
	return viewOf(known.Credentials[i], known.At), nil
}

type resetBody struct {
	Model string `json:"model,omitempty" description:"The upstream's own name; empty = all models, and the credential as a whole."`
}

func resetCredential(c *call) (any, error) {
	var body resetBody
	if c.r.ContentLength != 0 {
		if err := c.decode(&body); err != nil {
			return nil, err
		}
	}
	return c.operate("reset", func(id providers.CredentialID) (bool, error) {
		return c.server.Engine.Reset(c.ctx, id, body.Model)
	})
}

func drainCredential(c *call) (any, error) {
	return c.operate("drain", func(id providers.CredentialID) (bool, error) {
		return c.server.Engine.Drain(c.ctx, id, true)
	})
}

// operate has something done to a credential and returns what it is then.
func (c *call) operate(what string, do func(providers.CredentialID) (bool, error)) (any, error) {
	id := c.param("id")
	before, err := c.credential(id)
	if err != nil {
		return nil, err
	}
	found, err := do(providers.CredentialID(id))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, ErrNotFound
	}
	after, err := c.credential(id)
	c.audit("credential "+what, id, before.Status, after.Status)
	return after, err
}

type (
	// credentialPatch is a change of a credential. What is not given stays.
	credentialPatch struct {
		Disabled       *bool `json:"disabled,omitempty" description:"false also ends a drain."`
		Weight         *int  `json:"weight,omitempty" minimum:"0" maximum:"1000000"`
		Priority       *int  `json:"priority,omitempty"`
		MaxConcurrency *int  `json:"max-concurrency,omitempty" minimum:"0"`
	}
	changed struct {
		Persisted bool     `json:"persisted" description:"It is in a file and survives a restart."`
		Changes   []string `json:"changes" description:"Settings that are different now."`
		Restart   []string `json:"needs_restart,omitempty" description:"Settings that only a restart will apply."`
	}
	changedCredential struct {
		changed
		Credential credentialView `json:"credential"`
	}
)

func changedBy(a Applied) changed {
	view := changed{Persisted: a.Persisted, Restart: a.Restart, Changes: []string{}}
	for _, change := range a.Changes {
		view.Changes = append(view.Changes, change.String())
	}
	return view
}

const maxWeight = 1_000_000

func (p credentialPatch) sets() ([]config.Set, error) {
	var sets []config.Set
	if p.Disabled != nil {
		sets = append(sets, config.Set{Key: "disabled", Value: *p.Disabled})
	}
	if p.Weight != nil {
		if *p.Weight < 0 || *p.Weight > maxWeight {
			return nil, badRequest("invalid_field", "weight must be a whole number from 0 to 1000000.")
		}
		sets = append(sets, config.Set{Key: "weight", Value: *p.Weight})
	}
	if p.Priority != nil {
		sets = append(sets, config.Set{Key: "priority", Value: *p.Priority})
	}
	if p.MaxConcurrency != nil {
		if *p.MaxConcurrency < 0 {
			return nil, badRequest("invalid_field", "max-concurrency must not be negative.")
		}
		sets = append(sets, config.Set{Key: "max-concurrency", Value: *p.MaxConcurrency})
	}
	if len(sets) == 0 {
		return nil, badRequest("nothing_to_change", "Give at least one of disabled, weight, priority, max-concurrency.")
	}
	return sets, nil
}

func patchCredential(c *call) (any, error) {
	var patch credentialPatch
	if err := c.decode(&patch); err != nil {
		return nil, err
	}
	sets, err := patch.sets()
	if err != nil {
		return nil, err
	}
	id := c.param("id")
	before, err := c.credential(id)
	if err != nil {
		return nil, err
	}
	applied, err := c.server.Settings.SetCredential(id, sets)
	if err != nil {
		return nil, err
	}
	if patch.Disabled != nil && !*patch.Disabled {
		if _, err := c.server.Engine.Drain(c.ctx, providers.CredentialID(id), false); err != nil {
			return nil, err
		}
	}
	after, err := c.credential(id)
	if err != nil {
		return nil, err
	}
	c.audit("credential settings", id, before.settings(), after.settings())
	return changedCredential{changed: changedBy(applied), Credential: after}, nil
}

// settings returns what a patch can change, for the audit log.
func (v credentialView) settings() map[string]any {
	return map[string]any{"disabled": v.Disabled, "weight": v.Weight, "priority": v.Priority, "max-concurrency": v.MaxConcurrency}
}

// newCredential is a credential to be added: the keys of a file in credentials-dir.
type newCredential struct {
	ID              string            `json:"id" required:"true" description:"Also the name of its file."`
	Provider        string            `json:"provider" required:"true" description:"The name of a configured provider."`
	APIKey          string            `json:"api-key,omitempty"`
	OAuth           jsontext.Value    `json:"oauth,omitempty"`
	ServiceAccount  jsontext.Value    `json:"service-account,omitempty" description:"The key itself; files cannot be named."`
	Projects        []string          `json:"projects,omitempty"`
	Account         string            `json:"account,omitempty"`
	Weight          *int              `json:"weight,omitempty" minimum:"0" maximum:"1000000"`
	Priority        int               `json:"priority,omitempty"`
	Disabled        bool              `json:"disabled,omitempty"`
	Websockets      bool              `json:"websockets,omitempty"`
	MaxConcurrency  int               `json:"max-concurrency,omitempty" minimum:"0"`
	ProxyURL        string            `json:"proxy-url,omitempty"`
	Headers         map[string]string `json:"headers,omitempty"`
	Models          []string          `json:"models,omitempty"`
	ExcludeModels   []string          `json:"exclude-models,omitempty"`
	DisableCooldown *bool             `json:"disable-cooldown,omitempty"`
}

func addCredential(c *call) (any, error) {
	var body newCredential
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	if err := config.CheckCredentialFileID(body.ID); err != nil {
		return nil, badRequest("invalid_field", "id "+err.Error()+".")
	}
	file, err := body.file()
	if err != nil {
		return nil, badRequest("invalid_json", "The body is not what this route takes.")
	}
	applied, err := c.server.Settings.AddCredential(body.ID, file)
	if err != nil {
		return nil, err
	}
	c.audit("credential added", body.ID, nil, map[string]any{"provider": body.Provider, "account": body.Account})
	answer := changedCredential{changed: changedBy(applied)}
	shown := body.ID
	if len(body.Projects) > 0 {
		shown += "::" + body.Projects[0]
	}
	answer.Credential, err = c.credential(shown)
	return answer, err
}

// file returns what the credential's file is to hold. Nothing in it is taken for a variable.
func (n newCredential) file() ([]byte, error) {
	text, err := json.MarshalIndent(n, "", "  ")
	return append([]byte(config.Quote(string(text))), '\n'), err
}

func removeCredential(c *call) (any, error) {
	id := c.param("id")
	before, err := c.credential(id)
	if err != nil {
		return nil, err
	}
	applied, err := c.server.Settings.RemoveCredential(id)
	if err != nil {
		return nil, err
	}
	c.audit("credential removed", id, map[string]any{"provider": before.Provider, "account": before.Account}, nil)
	return changedBy(applied), nil
}

package admin

import (
	"encoding/hex"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

type (
	sessionQuery struct {
		Limit      int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		After      string `query:"after" description:"next of the page before."`
		Credential string `query:"credential" description:"Only those bound to it."`
	}
	endQuery struct {
		Credential string `query:"credential" required:"true" description:"Whose sessions."`
	}
	sessionPage struct {
		Data []sessionView `json:"data"`
		Next string        `json:"next,omitempty"`
	}
	sessionView struct {
		Key          string    `json:"key" description:"Hashed."`
		Source       string    `json:"source,omitempty" description:"What the session is recognized by."`
		Model        string    `json:"model" description:"The name that the client used first."`
		Credential   string    `json:"credential"`
		BoundAt      time.Time `json:"bound_at"`
		AgeSeconds   int64     `json:"age_seconds"`
		UsedAt       time.Time `json:"used_at"`
		ExpiresAt    time.Time `json:"expires_at" description:"Unless it is served again before."`
		Turns        uint32    `json:"turns" description:"Requests that were served."`
		InputTokens  int64     `json:"input_tokens"`
		CachedTokens int64     `json:"cached_tokens"`
		CachedShare  float64   `json:"cached_share" description:"Of the input tokens, 0 to 1."`
	}
	ended struct {
		Ended int `json:"ended" description:"How many sessions there were."`
	}
)

func listSessions(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	var after session.Key
	if text := c.query.Get("after"); text != "" {
		if after, err = parseKey(text); err != nil {
			return nil, err
		}
	}
	views, more, err := c.server.Engine.Sessions(c.ctx, after, limit, providers.CredentialID(c.query.Get("credential")))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	page := sessionPage{Data: make([]sessionView, len(views))}
	for i, v := range views {
		page.Data[i] = sessionOf(v, now)
	}
	if more && len(views) > 0 {
		page.Next = views[len(views)-1].Key.String()
	}
	return page, nil
}

func sessionOf(v actors.SessionView, now time.Time) sessionView {
	view := sessionView{
		Key: v.Key.String(), Source: string(v.Source), Model: v.Model, Credential: string(v.Credential),
		BoundAt: v.Since.UTC(), AgeSeconds: int64(now.Sub(v.Since).Seconds()), UsedAt: v.UsedAt.UTC(), ExpiresAt: v.ExpiresAt.UTC(),
		Turns: v.Turns, InputTokens: v.Usage.InputTokens, CachedTokens: v.Usage.CachedTokens,
	}
	if view.InputTokens > 0 {
		view.CachedShare = min(1, float64(view.CachedTokens)/float64(view.InputTokens))
	}
	return view
}

// parseKey reads a hashed session key.
func parseKey(text string) (key session.Key, err error) {
	data, err := hex.DecodeString(text)
	if err != nil || len(data) != len(key) {
		return key, badRequest("invalid_parameter", "A session key has 32 hexadecimal digits.")
	}
	copy(key[:], data)
	return key, nil
}

func endSession(c *call) (any, error) {
	key, err := parseKey(c.param("key"))
	if err != nil {
		return nil, err
	}
	found, err := c.server.Engine.EndSession(c.ctx, key)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, ErrNotFound
	}
	c.audit("session ended", "", key.String(), nil)
	return ended{Ended: 1}, nil
}

func endSessions(c *call) (any, error) {
	id := c.query.Get("credential")
	if id == "" {
		return nil, badRequest("missing_parameter", "Give credential: the id of the credential whose sessions are to end.")
	}
	if _, err := c.credential(id); err != nil {
		return nil, err
	}
	n, err := c.server.Engine.EndSessions(c.ctx, providers.CredentialID(id))
	if err != nil {
		return nil, err
	}
	c.audit("sessions ended", id, n, 0)
	return ended{Ended: n}, nil
}

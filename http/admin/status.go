package admin

import (
	"time"

	"github.com/understudyhq/understudy/actors"
)

type statusAnswer struct {
	Version       string         `json:"version"`
	StartedAt     time.Time      `json:"started_at"`
	UptimeSeconds int64          `json:"uptime_seconds"`
	Credentials   map[string]int `json:"credentials" description:"How many there are, by status."`
	InFlight      int            `json:"in_flight" description:"Attempts that run."`
	Sessions      int            `json:"sessions" description:"Bound ones."`
	Attempts      uint64         `json:"attempts" description:"Since the start."`
	Overdue       uint64         `json:"overdue" description:"Attempts whose end nobody reported."`
	Actors        map[string]int `json:"actors" description:"That live, by kind."`
	Mailboxes     map[string]int `json:"mailboxes" description:"Messages that wait, by the actor whose they are."`
	Failures      uint64         `json:"actor_failures"`
	Restarts      uint64         `json:"actor_restarts"`
}

func showStatus(c *call) (any, error) {
	known, err := c.server.Engine.Snapshot(c.ctx)
	if err != nil {
		return nil, err
	}
	vitals := c.server.Engine.Vitals(known)
	a := statusAnswer{
		Version: c.server.Version, StartedAt: c.server.StartedAt.UTC(), UptimeSeconds: int64(time.Since(c.server.StartedAt).Seconds()),
		Credentials: map[string]int{}, Sessions: known.Sessions, Attempts: known.Attempts, Overdue: known.Overdue,
		Actors: vitals.Actors, Mailboxes: vitals.Mailboxes, Failures: vitals.Failures, Restarts: vitals.Restarts,
	}
	for _, v := range known.Credentials {
		a.Credentials[v.Status]++
		a.InFlight += v.InFlight
	}
	return a, nil
}

// tokens counts tokens.
type tokens struct {
	Input  int64 `json:"input_tokens" description:"Cached ones included."`
	Output int64 `json:"output_tokens"`
	Cached int64 `json:"cached_tokens"`
}

// availability says whether a candidate can be picked, and else why not.
func availability(m actors.Candidate, now time.Time) (state, reason string, until time.Time) {
	v := m.Credential
	if !m.Serves {
		return "excluded", "excluded-model", until
	}
	switch v.Status {
	case "active":
	case "resting":
		if !restsItself(v, now) {
			break // all its known models rest; this one may be another
		}
		return "resting", v.Reason, v.Until
	default:
		return "out", v.Status, v.Until
	}
	for _, own := range v.Models {
		if own.Name == m.Model && own.State.Resting(now) {
			return "resting", string(own.State.Kind), own.State.Until
		}
	}
	if v.MaxConcurrency > 0 && v.InFlight >= v.MaxConcurrency {
		return "saturated", "saturated", until
	}
	return "ready", "", until
}

// restsItself reports whether a resting credential rests as a whole, and not because each of
// its models does.
func restsItself(v actors.CredentialView, now time.Time) bool {
	for _, m := range v.Models {
		if !m.State.Resting(now) {
			return true
		}
	}
	return len(v.Models) == 0
}

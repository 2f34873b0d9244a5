package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/understudyhq/understudy/actors"
)

type (
	eventQuery struct {
		Kind       string `query:"kind" enum:"credential,model,session,request,attempt,configuration,supervision"`
		Credential string `query:"credential"`
		Session    string `query:"session" description:"Hashed session key."`
	}
	// eventView is the data of one event. Which members it has depends on what happened.
	eventView struct {
		Seq        uint64     `json:"seq"`
		At         time.Time  `json:"at"`
		Dropped    uint64     `json:"dropped" description:"Events that this reader has missed so far because it was too slow."`
		Kind       string     `json:"kind"`
		What       string     `json:"what"`
		Credential string     `json:"credential,omitempty"`
		Model      string     `json:"model,omitempty"`
		Session    string     `json:"session,omitempty"`
		RequestID  string     `json:"request_id,omitempty"`
		Status     int        `json:"status,omitempty"`
		Outcome    string     `json:"outcome,omitempty"`
		Reason     string     `json:"reason,omitempty"`
		Until      *time.Time `json:"until,omitempty"`
		Changes    []string   `json:"changes,omitempty"`
		tried      []string
	}
)

const (
	// heartbeat is how long a stream of events is silent at most.
	heartbeat = 15 * time.Second
	// eventTimeout is how long a reader may take nothing before it counts as gone.
	eventTimeout = 30 * time.Second
	// eventsAhead is how many events wait for one reader, besides those that the engine keeps.
	eventsAhead = 64
)

// kinds are the kinds of events.
func kinds() []string {
	return []string{"credential", "model", "session", "request", "attempt", "configuration", "supervision"}
}

// follow streams events until the reader goes.
func follow(c *call) error {
	kind, credential, of := c.query.Get("kind"), c.query.Get("credential"), c.query.Get("session")
	if kind != "" && !slices.Contains(kinds(), kind) {
		return badRequest("invalid_parameter", "kind must be one of "+fmt.Sprint(kinds())+".")
	}
	events := make(chan actors.Event, eventsAhead)
	cancel := c.server.Engine.Subscribe(func(e actors.Event) {
		select {
		case events <- e:
		case <-c.ctx.Done():
		}
	})
	defer cancel()
	w := c.echo.Response()
	w.Header().Set("Content-Type", eventsType)
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	send := func(text string) error {
		_ = control.SetWriteDeadline(time.Now().Add(eventTimeout)) // where a reader can hang, there are deadlines
		if _, err := fmt.Fprint(w, text); err != nil {
			return err
		}
		return control.Flush()
	}
	if send(": following\n\n") != nil {
		return nil
	}
	silence := time.NewTimer(heartbeat)
	defer silence.Stop()
	for {
		var err error
		select {
		case <-c.ctx.Done():
			return nil
		case <-c.server.Engine.Done():
			return nil
		case <-silence.C:
			err = send(": alive\n\n")
		case e := <-events:
			view, ok := eventOf(e)
			if !ok || kind != "" && view.Kind != kind || credential != "" && !view.concerns(credential) || of != "" && view.Session != of {
				continue
			}
			err = send(view.text())
		}
		if err != nil {
			return nil // the reader has gone, and nobody is left to tell
		}
		silence.Reset(heartbeat)
	}
}

func (v eventView) concerns(credential string) bool {
	return v.Credential == credential || slices.Contains(v.tried, credential)
}

func (v eventView) text() string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", v.Seq, v.Kind, data)
}

// eventOf tells of a fact; false if it is not for showing.
func eventOf(e actors.Event) (v eventView, ok bool) {
	v = eventView{Seq: e.Seq, At: e.At.UTC(), Dropped: e.Dropped}
	switch f := e.Fact.(type) {
	case actors.CredentialJoined:
		v.is("credential", "joined", string(f.Credential.ID))
		switch {
		case f.Credential.Disabled:
			v.Reason = "disabled"
		case f.Credential.Draining:
			v.Reason = "draining"
		}
	case actors.CredentialLeft:
		v.is("credential", "left", string(f.Credential))
	case actors.CredentialDown:
		v.is("credential", "down", string(f.Credential))
		if v.Reason = "restarting"; f.Failed {
			v.Reason = "failed"
		}
	case actors.CredentialUp:
		v.is("credential", "up", string(f.Credential))
	case actors.TokenRenewed:
		v.is("credential", "token-renewed", string(f.Credential))
		v.Until = instant(f.ExpiresAt)
	case actors.ModelLeft:
		v.is("model", "left", string(f.Credential))
		v.Model = f.Model
	case actors.Rested:
		v.rested(f)
	case actors.SessionBound:
		v.is("session", "bound", string(f.Credential))
		v.Session = f.Key.String()
	case actors.SessionExpired:
		v.is("session", "expired", "")
		v.Session = f.Key.String()
	case actors.SessionsLost:
		v.is("session", "all-lost", "")
	case actors.Attempted:
		v.is("attempt", "ended", string(f.Credential))
		v.Model, v.Session, v.Outcome = f.Model, f.Session.String(), string(f.Outcome.Kind)
		v.Status, v.Reason = f.Outcome.Status, f.Outcome.Reason
	case actors.Recorded:
		v.recorded(f.Record)
	case actors.ConfigChanged:
		v.is("configuration", "applied", "")
		v.Changes = f.Changes
	case actors.Supervised:
		v.is("supervision", "restarted", "")
		if v.Reason = f.Actor; f.Stopped {
			v.What = "stopped"
		}
	default:
		return v, false
	}
	return v, true
}

func (v *eventView) is(kind, what, credential string) {
	v.Kind, v.What, v.Credential = kind, what, credential
}

func (v *eventView) rested(f actors.Rested) {
	v.is("credential", "rests", string(f.Credential))
	if v.Model = f.Model; f.Model != "" {
		v.Kind = "model"
	}
	if !f.State.Resting(v.At) {
		v.What = "ready"
		return
	}
	v.Reason, v.Until = string(f.State.Kind), instant(f.State.Until)
}

func (v *eventView) recorded(r *actors.Record) {
	v.is("request", "answered", "")
	v.RequestID, v.Model, v.Session, v.Status, v.Outcome = r.RequestID, r.Asked, r.Session.String(), r.Status, string(r.Outcome)
	for _, a := range r.Attempts {
		v.tried = append(v.tried, string(a.Credential))
		v.Credential = string(a.Credential)
	}
}

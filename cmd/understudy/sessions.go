package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

type sessionView struct {
	Key         string    `json:"key"`
	Source      string    `json:"source"`
	Model       string    `json:"model"`
	Credential  string    `json:"credential"`
	AgeSeconds  int64     `json:"age_seconds"`
	ExpiresAt   time.Time `json:"expires_at"`
	Turns       uint32    `json:"turns"`
	CachedShare float64   `json:"cached_share"`
}

func sessionsCommand() *cobra.Command {
	return group("sessions", "Look at and end the sessions that are bound to credentials", sessionsListCommand(), sessionsClearCommand())
}

// standardLimit is how much of a list is shown if nobody says.
const standardLimit = 100

func sessionsListCommand() *cobra.Command {
	var credential string
	var limit int
	c := manages("list", "List bound sessions; keys are hashed", cobra.NoArgs, func(o *operation) error {
		list, err := o.list(o.ctx, "/sessions", chosen("credential", credential), limit)
		if err != nil {
			return err
		}
		if o.json {
			return o.show(list)
		}
		return o.sessionTable(list)
	})
	c.Flags().StringVar(&credential, "credential", "", "only those bound to it")
	c.Flags().IntVar(&limit, "limit", standardLimit, "how many; 0 = all")
	return c
}

// chosen returns a query of names and values, without the empty ones.
func chosen(pairs ...string) url.Values {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return query
}

func (o *operation) sessionTable(p page) error {
	sessions, err := elements[sessionView](p)
	if err != nil {
		return err
	}
	now := o.now()
	t := newTable(o.out, "SESSION", "KNOWN BY", "MODEL", "CREDENTIAL", "AGE", "ENDS IN", "TURNS", "CACHED")
	for _, s := range sessions {
		t.row(s.Key, s.Source, s.Model, s.Credential, span(time.Duration(s.AgeSeconds)*time.Second), until(&s.ExpiresAt, now),
			s.Turns, fmt.Sprintf("%.0f %%", 100*s.CachedShare))
	}
	if err := t.end(); err != nil {
		return err
	}
	return o.tellMore(p)
}

// tellMore says so if a list goes on.
func (o *operation) tellMore(p page) error {
	if p.Next == "" {
		return nil
	}
	_, err := fmt.Fprintf(o.out, "\nThese are the first %d; --limit 0 shows all.\n", len(p.Data))
	return err
}

func sessionsClearCommand() *cobra.Command {
	var credential string
	c := manages("clear [KEY]", "End one session by its hashed key, or all of a credential", cobra.MaximumNArgs(1), func(o *operation) error {
		if (len(o.args) == 1) == (credential != "") {
			return &misuse{"say which: the key of a session, or --credential for all of a credential"}
		}
		path := "/sessions"
		if len(o.args) == 1 {
			path += "/" + url.PathEscape(o.args[0])
		}
		var ended struct {
			Ended int `json:"ended"`
		}
		raw, err := o.call(o.ctx, http.MethodDelete, path, chosen("credential", credential), nil, &ended)
		switch {
		case is404(err) && credential == "":
			return fmt.Errorf("the gateway has no session %q; \"understudy sessions list\" names them", o.args[0])
		case is404(err):
			return fmt.Errorf("the gateway has no credential %q", credential)
		case err != nil:
			return err
		case o.json:
			return o.show(raw)
		}
		_, err = fmt.Fprintf(o.out, "%s ended. What comes next of a conversation is bound anew.\n", count(ended.Ended, "session"))
		return err
	})
	c.Flags().StringVar(&credential, "credential", "", "all sessions of this credential")
	return c
}

// is404 reports whether the gateway does not have what it was asked for.
func is404(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == http.StatusNotFound
}

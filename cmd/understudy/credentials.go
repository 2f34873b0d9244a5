package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type (
	credentialView struct {
		ID       string     `json:"id"`
		Provider string     `json:"provider"`
		Account  string     `json:"account"`
		Status   string     `json:"status"`
		Reason   string     `json:"reason"`
		Until    *time.Time `json:"until"`
		InFlight int        `json:"in_flight"`
		Sessions int        `json:"sessions"`
		Models   []struct {
			Name   string     `json:"name"`
			Status string     `json:"status"`
			Reason string     `json:"reason"`
			Until  *time.Time `json:"until"`
		} `json:"models"`
		Counters struct {
			Attempts uint64 `json:"attempts"`
			Failed   uint64 `json:"failed"`
		} `json:"counters"`
		LastError *struct {
			At     time.Time `json:"at"`
			Kind   string    `json:"kind"`
			Status int       `json:"status"`
		} `json:"last_error"`
	}
	// changedView is what came of a change.
	changedView struct {
		Persisted  bool           `json:"persisted"`
		Changes    []string       `json:"changes"`
		Restart    []string       `json:"needs_restart"`
		Credential credentialView `json:"credential"`
	}
)

func credentialsCommand() *cobra.Command {
	one := cobra.ExactArgs(1)
	return group("credentials", "Look at and change the credentials of a running gateway",
		manages("list", "List the credentials and what became of them", cobra.NoArgs, listCredentials),
		manages("disable ID", "Take a credential out; lasts", one, func(o *operation) error { return o.disable(true) }),
		manages("enable ID", "Take a credential in again, also one that drains; lasts", one, func(o *operation) error { return o.disable(false) }),
		manages("drain ID", "Give a credential no new request and move its sessions; what runs ends well", one, drainCredential),
		resetCommand(), addCommand(),
		manages("remove ID", "Remove a credential with its file in credentials-dir", one, removeCredential),
	)
}

func listCredentials(o *operation) error {
	list, err := o.list(o.ctx, "/credentials", nil, 0)
	if err != nil {
		return err
	}
	if o.json {
		return o.show(list)
	}
	return o.credentialTable(list)
}

func (o *operation) credentialTable(p page) error {
	credentials, err := elements[credentialView](p)
	if err != nil {
		return err
	}
	now := o.now()
	t := newTable(o.out, "CREDENTIAL", "PROVIDER", "ACCOUNT", "STATUS", "WHY", "BACK IN", "IN FLIGHT", "SESSIONS", "ATTEMPTS", "FAILED", "LAST ERROR")
	for _, c := range credentials {
		t.row(c.ID, c.Provider, c.Account, c.Status, c.why(now), until(c.Until, now), c.InFlight, c.Sessions, c.Counters.Attempts, c.Counters.Failed, c.failure(now))
	}
	return t.end()
}

// why says why a credential or some of its models cannot be picked.
func (c credentialView) why(now time.Time) string {
	if c.Reason != "" {
		return c.Reason
	}
	var rests []string
	for _, m := range c.Models {
		if m.Status == "resting" {
			rests = append(rests, fmt.Sprintf("%s rests (%s, %s)", m.Name, m.Reason, orDash(until(m.Until, now))))
		}
	}
	return strings.Join(rests, "; ")
}

func (c credentialView) failure(now time.Time) string {
	e := c.LastError
	switch {
	case e == nil:
		return ""
	case e.Status == 0:
		return fmt.Sprintf("%s, %s ago", e.Kind, span(now.Sub(e.At).Round(time.Second)))
	default:
		return fmt.Sprintf("%d %s, %s ago", e.Status, e.Kind, span(now.Sub(e.At).Round(time.Second)))
	}
}

// credentialPath is where a credential is in the API.
func credentialPath(id string, action ...string) string {
	return strings.Join(append([]string{"/credentials", url.PathEscape(id)}, action...), "/")
}

func (o *operation) disable(disabled bool) error {
	var done changedView
	raw, err := o.call(o.ctx, http.MethodPatch, credentialPath(o.args[0]), nil, map[string]any{"disabled": disabled}, &done)
	if err != nil {
		return o.about(err)
	}
	if o.json {
		return o.show(raw)
	}
	return o.tell(done.Credential, done.lasting())
}

func drainCredential(o *operation) error {
	return o.act("drain", nil, "Enabling it ends that.")
}

// act has the API do something to a credential, and tells what it is then.
func (o *operation) act(what string, body any, remark string) error {
	var now credentialView
	raw, err := o.call(o.ctx, http.MethodPost, credentialPath(o.args[0], what), nil, body, &now)
	if err != nil {
		return o.about(err)
	}
	if o.json {
		return o.show(raw)
	}
	return o.tell(now, remark)
}

func resetCommand() *cobra.Command {
	var model string
	c := manages("reset ID", "End the rests of a credential, or of one of its models, and its drain", cobra.ExactArgs(1), func(o *operation) error {
		body := map[string]any{}
		if model != "" {
			body["model"] = model
		}
		return o.act("reset", body, "")
	})
	c.Flags().StringVar(&model, "model", "", "only this model, by the name that the upstream knows")
	return c
}

func removeCredential(o *operation) error {
	var done changedView
	raw, err := o.call(o.ctx, http.MethodDelete, credentialPath(o.args[0]), nil, nil, &done)
	if err != nil {
		return o.about(err)
	}
	if o.json {
		return o.show(raw)
	}
	_, err = fmt.Fprintln(o.out, strings.TrimSpace(fmt.Sprintf("%s is removed. %s", plain(o.args[0]), done.lasting())))
	return err
}

// tell says what a credential is now.
func (o *operation) tell(c credentialView, remark string) error {
	state := plain(c.Status)
	if why := c.why(o.now()); why != "" {
		state += " (" + plain(why) + ")"
	}
	_, err := fmt.Fprintln(o.out, strings.TrimSpace(fmt.Sprintf("%s is %s now. %s", plain(c.ID), state, remark)))
	return err
}

// lasting says how long a change lasts.
func (c changedView) lasting() string {
	var text string
	if !c.Persisted {
		text = "This lasts until the gateway stops: its configuration is in no file."
	}
	if len(c.Restart) > 0 {
		text += " Only a restart applies " + plain(strings.Join(c.Restart, ", ")) + "."
	}
	return strings.TrimSpace(text)
}

// about names what the command was about, if the gateway does not have it.
func (o *operation) about(err error) error {
	if is404(err) {
		return fmt.Errorf("the gateway has no credential %q; \"understudy credentials list\" names all", o.args[0])
	}
	return err
}

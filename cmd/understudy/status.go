package main

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type (
	statusView struct {
		Version       string         `json:"version"`
		UptimeSeconds int64          `json:"uptime_seconds"`
		Credentials   map[string]int `json:"credentials"`
		InFlight      int            `json:"in_flight"`
		Sessions      int            `json:"sessions"`
		Attempts      uint64         `json:"attempts"`
		Overdue       uint64         `json:"overdue"`
		Restarts      uint64         `json:"actor_restarts"`
	}
	modelView struct {
		Name       string         `json:"name"`
		Ready      int            `json:"ready"`
		Counts     map[string]int `json:"counts"`
		Candidates []struct {
			State string     `json:"state"`
			Until *time.Time `json:"until"`
		} `json:"candidates"`
	}
)

func statusCommand() *cobra.Command {
	return manages("status", "Show the credentials and models of a running gateway", cobra.NoArgs, showStatus)
}

func showStatus(o *operation) error {
	var status statusView
	raw, err := o.get(o.ctx, "/status", nil, &status)
	if err != nil {
		return err
	}
	credentials, err := o.list(o.ctx, "/credentials", nil, 0)
	if err != nil {
		return err
	}
	models, err := o.list(o.ctx, "/models", url.Values{}, 0)
	if err != nil {
		return err
	}
	if o.json {
		return o.show(map[string]any{"status": raw, "credentials": credentials.Data, "models": models.Data})
	}
	fmt.Fprintf(o.out, "understudy %s, up for %s: %s in flight, %s, %s since the start\n", plain(status.Version),
		span(time.Duration(status.UptimeSeconds)*time.Second), count(status.InFlight, "attempt"),
		count(status.Sessions, "session"), count(int(min(status.Attempts, 1<<31)), "attempt"))
	fmt.Fprintf(o.out, "credentials: %s\n", counted(status.Credentials))
	if status.Overdue+status.Restarts > 0 {
		fmt.Fprintf(o.out, "trouble inside: %d attempts whose end nobody reported, %d restarts of actors\n", status.Overdue, status.Restarts)
	}
	fmt.Fprintln(o.out)
	if err := o.credentialTable(credentials); err != nil {
		return err
	}
	fmt.Fprintln(o.out)
	return o.modelTable(models)
}

// counted writes how many there are of each kind, as in "5 active, 1 resting".
func counted(kinds map[string]int) string {
	var texts []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if kinds[kind] > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", kinds[kind], plain(kind)))
		}
	}
	return orDash(strings.Join(texts, ", "))
}

func (o *operation) modelTable(p page) error {
	models, err := elements[modelView](p)
	if err != nil {
		return err
	}
	now := o.now()
	t := newTable(o.out, "MODEL", "READY", "NOT READY", "NEXT BACK IN")
	for _, m := range models {
		others := maps.Clone(m.Counts)
		delete(others, "ready")
		var soonest *time.Time
		for _, c := range m.Candidates {
			if c.State == "resting" && c.Until != nil && (soonest == nil || c.Until.Before(*soonest)) {
				soonest = c.Until
			}
		}
		t.row(m.Name, m.Ready, counted(others), until(soonest, now))
	}
	return t.end()
}

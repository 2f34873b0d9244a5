package admin

import (
	"time"

	"github.com/understudyhq/understudy/actors"
)

// maxCandidates bounds the candidates that are listed for one model; all are counted.
const maxCandidates = 100

type (
	modelPage struct {
		Data []modelView `json:"data"`
		Next string      `json:"next,omitempty"`
	}
	modelView struct {
		Name       string          `json:"name"`
		Formats    []string        `json:"formats" description:"In which it is served without translation."`
		Ready      int             `json:"ready" description:"Candidates that can be picked now."`
		Counts     map[string]int  `json:"counts" description:"Candidates by state."`
		Candidates []candidateView `json:"candidates" description:"The first 100."`
	}
	candidateView struct {
		Credential string     `json:"credential"`
		Provider   string     `json:"provider"`
		Model      string     `json:"model" description:"What the upstream calls it."`
		State      string     `json:"state" enum:"ready,resting,saturated,out,excluded"`
		Reason     string     `json:"reason,omitempty"`
		Until      *time.Time `json:"until,omitempty"`
	}
)

func listModels(c *call) (any, error) {
	served, err := c.server.Engine.Served(c.ctx)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(c, served, func(m actors.Served) string { return m.Name })
	if err != nil {
		return nil, err
	}
	now := time.Now()
	answer := modelPage{Data: make([]modelView, len(page)), Next: next}
	for i, m := range page {
		answer.Data[i] = modelOf(m, now)
	}
	return answer, nil
}

func modelOf(m actors.Served, now time.Time) modelView {
	view := modelView{Name: m.Name, Formats: []string{}, Counts: map[string]int{}, Candidates: []candidateView{}}
	for _, f := range m.Formats {
		view.Formats = append(view.Formats, string(f))
	}
	for _, one := range m.Candidates {
		state, reason, until := availability(one, now)
		view.Counts[state]++
		if len(view.Candidates) < maxCandidates {
			view.Candidates = append(view.Candidates, candidateView{
				Credential: string(one.Credential.ID), Provider: one.Credential.Provider, Model: one.Model,
				State: state, Reason: reason, Until: instant(until),
			})
		}
	}
	view.Ready = view.Counts["ready"]
	return view
}

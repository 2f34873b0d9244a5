package admin

import (
	"slices"
	"strings"
	"time"

	"github.com/understudyhq/understudy/actors"
)

type (
	usageQuery struct {
		Limit      int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		After      string `query:"after" description:"next of the page before."`
		Day        string `query:"day" description:"Only this day, such as 2030-12-31 (UTC)."`
		Model      string `query:"model"`
		Credential string `query:"credential"`
		Client     string `query:"client" description:"Name of a client's key."`
	}
	usagePage struct {
		Data []usageView `json:"data"`
		Next string      `json:"next,omitempty"`
	}
	usageView struct {
		Day        string `json:"day" description:"UTC."`
		Model      string `json:"model" description:"The name it was served under; empty = none was. (other) stands for what there was no room for."`
		Credential string `json:"credential"`
		Client     string `json:"client"`
		Requests   uint64 `json:"requests"`
		Failed     uint64 `json:"failed" description:"Answered with a status of 400 or more."`
		tokens
	}
)

func listUsage(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	if day := c.query.Get("day"); day != "" {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return nil, badRequest("invalid_parameter", "day must be a date, such as 2030-12-31.")
		}
	}
	rows, err := c.server.Engine.Usage(c.ctx)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r actors.UsageRow) bool { return !c.wantsUsage(r) })
	if after := c.query.Get("after"); after != "" {
		at := slices.IndexFunc(rows, func(r actors.UsageRow) bool { return rowName(r) == after })
		if at < 0 {
			return nil, badRequest("invalid_parameter", "after names no row of this list.")
		}
		rows = rows[at+1:]
	}
	page := usagePage{Data: []usageView{}}
	for i, r := range rows {
		if i == limit {
			page.Next = rowName(rows[i-1])
			break
		}
		page.Data = append(page.Data, usageView{
			Day: r.Day.Format(time.DateOnly), Model: r.Model, Credential: string(r.Credential), Client: r.Client,
			Requests: r.Requests, Failed: r.Failed, tokens: tokensOf(r.Usage),
		})
	}
	return page, nil
}

// rowName names a row among all.
func rowName(r actors.UsageRow) string {
	return strings.Join([]string{r.Day.Format(time.DateOnly), r.Model, string(r.Credential), r.Client}, "|")
}

func (c *call) wantsUsage(r actors.UsageRow) bool {
	for name, value := range map[string]string{
		"day": r.Day.Format(time.DateOnly), "model": r.Model, "credential": string(r.Credential), "client": r.Client,
	} {
		if wanted := c.query.Get(name); wanted != "" && wanted != value {
			return false
		}
	}
	return true
}

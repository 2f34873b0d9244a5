package admin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/understudyhq/understudy/actors"
)

type (
	requestQuery struct {
		Limit      int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		After      string `query:"after" description:"next of the page before."`
		Credential string `query:"credential" description:"Only those that tried it."`
		Model      string `query:"model" description:"Only those that asked for it or were served under it."`
		Outcome    string `query:"outcome" description:"Only those with it, such as success or rate-limited."`
		Session    string `query:"session" description:"Only those of the hashed session key."`
	}
	requestPage struct {
		Data []requestView `json:"data"`
		Next string        `json:"next,omitempty"`
	}
	requestView struct {
		ID            string        `json:"id"`
		At            time.Time     `json:"at"`
		Client        string        `json:"client,omitempty" description:"Name of the client's key."`
		FormatIn      string        `json:"format_in"`
		FormatOut     string        `json:"format_out,omitempty"`
		Operation     string        `json:"operation"`
		Asked         string        `json:"model_asked"`
		Used          string        `json:"model_used,omitempty"`
		SessionSource string        `json:"session_source,omitempty"`
		Session       string        `json:"session,omitempty" description:"Hashed."`
		Strategy      string        `json:"strategy,omitempty"`
		Status        int           `json:"status" description:"What the client got; 499 = it went away."`
		Outcome       string        `json:"outcome"`
		Error         string        `json:"error,omitempty" description:"The gateway's own, if it was that."`
		Attempts      []attemptView `json:"attempts"`
		Rejected      *fieldView    `json:"rejected,omitempty" description:"Who was not ready when nobody was left."`
		Lost          []string      `json:"lost,omitempty" description:"What the upstream's format could not say."`
		Dropped       int           `json:"dropped,omitempty" description:"Encrypted reasoning items left out."`
		QueuedMS      float64       `json:"queued_ms"`
		WaitedMS      float64       `json:"waited_ms"`
		FirstByteMS   float64       `json:"first_byte_ms"`
		TotalMS       float64       `json:"total_ms"`
		tokens
	}
	attemptView struct {
		Credential  string     `json:"credential"`
		Provider    string     `json:"provider"`
		Model       string     `json:"model"`
		Route       string     `json:"route"`
		Why         string     `json:"why" enum:"pin,bound,warm,strategy,probe,only"`
		From        *fieldView `json:"from,omitempty" description:"What it was picked from."`
		Outcome     string     `json:"outcome"`
		Status      int        `json:"status,omitempty" description:"The upstream's."`
		Reason      string     `json:"reason,omitempty"`
		BeganMS     float64    `json:"began_ms" description:"Since the request came."`
		WaitedMS    float64    `json:"waited_ms"`
		FirstByteMS float64    `json:"first_byte_ms"`
		TotalMS     float64    `json:"total_ms"`
	}
	fieldView struct {
		Strategy string          `json:"strategy,omitempty"`
		Ready    int             `json:"ready"`
		Rejected []rejectionView `json:"rejected" description:"The first 16."`
		More     int             `json:"more,omitempty"`
	}
	rejectionView struct {
		Credential string `json:"credential"`
		Reason     string `json:"reason"`
	}
)

func requestOf(r *actors.Record) requestView {
	view := requestView{
		ID: r.RequestID, At: r.At.UTC(), Client: r.Client, FormatIn: string(r.FormatIn), FormatOut: string(r.FormatOut), Operation: string(r.Operation),
		Asked: r.Asked, Used: r.Used, SessionSource: string(r.Source), Session: r.Session.String(), Strategy: string(r.Strategy),
		Status: r.Status, Outcome: string(r.Outcome), Error: r.Err, Attempts: []attemptView{}, Rejected: fieldOf(r.Rejected),
		Lost: r.Lost, Dropped: r.Dropped, QueuedMS: ms(r.Queued), WaitedMS: ms(r.Waited), FirstByteMS: ms(r.FirstByte), TotalMS: ms(r.Total),
		tokens: tokensOf(r.Usage),
	}
	for _, a := range r.Attempts {
		view.Attempts = append(view.Attempts, attemptView{
			Credential: string(a.Credential), Provider: a.Provider, Model: a.Model, Route: a.Route, Why: string(a.Why), From: fieldOf(a.Field),
			Outcome: string(a.Outcome), Status: a.Status, Reason: a.Reason,
			BeganMS: ms(a.BeganAt), WaitedMS: ms(a.Waited), FirstByteMS: ms(a.FirstByte), TotalMS: ms(a.Total),
		})
	}
	return view
}

func fieldOf(f *actors.Field) *fieldView {
	if f == nil {
		return nil
	}
	view := &fieldView{Strategy: string(f.Strategy), Ready: f.Ready, Rejected: []rejectionView{}, More: f.More}
	for _, r := range f.Rejected {
		view.Rejected = append(view.Rejected, rejectionView{Credential: string(r.Credential), Reason: string(r.Reason)})
	}
	return view
}

// ms is how long d is in milliseconds, to the microsecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// placeOf names a record in the list of all. Ids alone do not: clients choose them.
func placeOf(r *actors.Record) string { return fmt.Sprintf("%x-%s", r.At.UnixNano(), r.RequestID) }

// allRecords is more than are kept.
const allRecords = 1 << 20

func listRequests(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	records, err := c.server.Engine.Records(c.ctx, allRecords)
	if err != nil {
		return nil, err
	}
	if after := c.query.Get("after"); after != "" {
		at := slices.IndexFunc(records, func(r *actors.Record) bool { return placeOf(r) == after })
		if at < 0 {
			return nil, badRequest("invalid_parameter", "after names a request that is not remembered.")
		}
		records = records[at+1:]
	}
	page := requestPage{Data: []requestView{}}
	var last *actors.Record
	for _, r := range records {
		if !c.wants(r) {
			continue
		}
		if len(page.Data) == limit {
			page.Next = placeOf(last)
			break
		}
		page.Data, last = append(page.Data, requestOf(r)), r
	}
	return page, nil
}

// wants reports whether the filters of a request let a record pass.
func (c *call) wants(r *actors.Record) bool {
	is := func(name string, values ...string) bool {
		wanted := c.query.Get(name)
		return wanted == "" || slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, wanted) })
	}
	tried := func(id string) bool {
		return slices.ContainsFunc(r.Attempts, func(a actors.AttemptRecord) bool { return string(a.Credential) == id })
	}
	id := c.query.Get("credential")
	return (id == "" || tried(id)) && is("model", r.Asked, r.Used) && is("outcome", string(r.Outcome)) && is("session", r.Session.String())
}

func showRequest(c *call) (any, error) {
	record, err := c.server.Engine.RecordOf(c.ctx, c.param("id"))
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, ErrNotFound
	}
	return requestOf(record), nil
}

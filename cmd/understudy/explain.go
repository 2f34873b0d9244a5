package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

type (
	requestView struct {
		ID            string        `json:"id"`
		At            time.Time     `json:"at"`
		Client        string        `json:"client"`
		FormatIn      string        `json:"format_in"`
		FormatOut     string        `json:"format_out"`
		Operation     string        `json:"operation"`
		Asked         string        `json:"model_asked"`
		Used          string        `json:"model_used"`
		SessionSource string        `json:"session_source"`
		Session       string        `json:"session"`
		Status        int           `json:"status"`
		Outcome       string        `json:"outcome"`
		Error         string        `json:"error"`
		Attempts      []attemptView `json:"attempts"`
		Rejected      *fieldView    `json:"rejected"`
		Lost          []string      `json:"lost"`
		Dropped       int           `json:"dropped"`
		QueuedMS      float64       `json:"queued_ms"`
		WaitedMS      float64       `json:"waited_ms"`
		FirstByteMS   float64       `json:"first_byte_ms"`
		TotalMS       float64       `json:"total_ms"`
		tokensView
	}
	attemptView struct {
		Credential  string     `json:"credential"`
		Provider    string     `json:"provider"`
		Model       string     `json:"model"`
		Why         string     `json:"why"`
		From        *fieldView `json:"from"`
		Outcome     string     `json:"outcome"`
		Status      int        `json:"status"`
		Reason      string     `json:"reason"`
		BeganMS     float64    `json:"began_ms"`
		WaitedMS    float64    `json:"waited_ms"`
		FirstByteMS float64    `json:"first_byte_ms"`
		TotalMS     float64    `json:"total_ms"`
	}
	// fieldView is who could have been picked, and who could not and why.
	fieldView struct {
		Strategy string `json:"strategy"`
		Ready    int    `json:"ready"`
		Rejected []struct {
			Credential string `json:"credential"`
			Reason     string `json:"reason"`
		} `json:"rejected"`
		More int `json:"more"`
	}
)

// latestRequests is how many requests are listed if none is named.
const latestRequests = 20

func explainCommand() *cobra.Command {
	var credential, model, outcome, session string
	var limit int
	c := manages("explain [REQUEST-ID]", "Tell how one request was served and why so, or list the latest", cobra.MaximumNArgs(1), func(o *operation) error {
		if len(o.args) == 1 {
			return o.explain(o.args[0])
		}
		list, err := o.list(o.ctx, "/requests", chosen("credential", credential, "model", model, "outcome", outcome, "session", session), limit)
		if err != nil {
			return err
		}
		if o.json {
			return o.show(list)
		}
		return o.requestTable(list)
	})
	c.Long = "Tell how one request was served and why so. Its id is in the header X-Request-Id of its answer.\n" +
		"Without an id the latest requests are listed."
	flags := c.Flags()
	flags.IntVar(&limit, "limit", latestRequests, "how many to list; 0 = all that are remembered")
	flags.StringVar(&credential, "credential", "", "list only those that tried it")
	flags.StringVar(&model, "model", "", "list only those for this model")
	flags.StringVar(&outcome, "outcome", "", "list only those that ended so, such as success or rate-limited")
	flags.StringVar(&session, "session", "", "list only those of the session with this hashed key")
	return c
}

func (o *operation) requestTable(p page) error {
	requests, err := elements[requestView](p)
	if err != nil {
		return err
	}
	t := newTable(o.out, "AT", "REQUEST", "MODEL", "STATUS", "OUTCOME", "ATTEMPTS", "LAST CREDENTIAL", "WAITED", "TOOK")
	for _, r := range requests {
		last := ""
		if n := len(r.Attempts); n > 0 {
			last = r.Attempts[n-1].Credential
		}
		t.row(r.At.In(o.now().Location()).Format(time.TimeOnly), r.ID, r.Asked, r.Status, r.Outcome, len(r.Attempts), last, millis(r.WaitedMS), millis(r.TotalMS))
	}
	return t.end()
}

func (o *operation) explain(id string) error {
	var r requestView
	raw, err := o.get(o.ctx, "/requests/"+url.PathEscape(id), nil, &r)
	if is404(err) {
		return fmt.Errorf("the gateway remembers no request %q: it keeps the last 10,000 since its start; \"understudy explain\" lists the latest", id)
	}
	if err != nil {
		return err
	}
	if o.json {
		return o.show(raw)
	}
	_, err = fmt.Fprint(o.out, r.story(o.now().Location()))
	return err
}

package main

import "github.com/spf13/cobra"

type (
	tokensView struct {
		Input  int64 `json:"input_tokens"`
		Output int64 `json:"output_tokens"`
		Cached int64 `json:"cached_tokens"`
	}
	usageView struct {
		Day        string `json:"day"`
		Model      string `json:"model"`
		Credential string `json:"credential"`
		Client     string `json:"client"`
		Requests   uint64 `json:"requests"`
		Failed     uint64 `json:"failed"`
		tokensView
	}
)

func usageCommand() *cobra.Command {
	var day, model, credential, client string
	var limit int
	c := manages("usage", "Show requests and tokens by day, model, credential and client key", cobra.NoArgs, func(o *operation) error {
		list, err := o.list(o.ctx, "/usage", chosen("day", day, "model", model, "credential", credential, "client", client), limit)
		if err != nil {
			return err
		}
		if o.json {
			return o.show(list)
		}
		return o.usageTable(list)
	})
	flags := c.Flags()
	flags.StringVar(&day, "day", "", "only this day (UTC), such as 2030-12-31")
	flags.StringVar(&model, "model", "", "only this model")
	flags.StringVar(&credential, "credential", "", "only this credential")
	flags.StringVar(&client, "client", "", "only the client key with this name")
	flags.IntVar(&limit, "limit", 0, "how many rows; 0 = all")
	return c
}

func (o *operation) usageTable(p page) error {
	rows, err := elements[usageView](p)
	if err != nil {
		return err
	}
	t := newTable(o.out, "DAY (UTC)", "MODEL", "CREDENTIAL", "CLIENT", "REQUESTS", "FAILED", "TOKENS IN", "CACHED", "TOKENS OUT")
	var sum usageView
	for _, r := range rows {
		t.row(r.Day, r.Model, r.Credential, r.Client, r.Requests, r.Failed, r.Input, r.Cached, r.Output)
		sum.Requests, sum.Failed = sum.Requests+r.Requests, sum.Failed+r.Failed
		sum.Input, sum.Cached, sum.Output = sum.Input+r.Input, sum.Cached+r.Cached, sum.Output+r.Output
	}
	t.row("these together", "", "", "", sum.Requests, sum.Failed, sum.Input, sum.Cached, sum.Output)
	if err := t.end(); err != nil {
		return err
	}
	return o.tellMore(p)
}

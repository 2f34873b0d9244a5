package httpapi

import (
	"fmt"
	"strings"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/capture"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/providers"
)

// attempted adds an attempt that is over to what the request's record will tell.
func (in *inbound) attempted(a *attempt, o providers.Outcome) {
	r := actors.AttemptRecord{
		Credential: a.lease.Credential.ID, Provider: a.lease.Credential.Upstream.Name, Model: clip(a.lease.Model),
		Route: clip(a.lease.Route()), Why: a.lease.Why, Field: a.lease.Field,
		Outcome: o.Kind, Status: o.Status, Reason: o.Reason,
		BeganAt: a.beganAt.Sub(in.startedAt), Waited: a.lease.Waited, FirstByte: a.firstByte(), Total: time.Since(a.beganAt),
	}
	in.tries = append(in.tries, r)
	in.usage = o.Usage
	in.formatOut, in.lost = a.format, paths(a.losses)
	if a.dropped > in.dropped {
		in.dropped = a.dropped
	}
}

// record hands the engine what this request was about, if it was about a model, and returns it.
func (in *inbound) record(total time.Duration) *actors.Record {
	c := in.call
	switch {
	case c != nil && !in.server.options.Unrecorded:
	case c == nil && in.server.options.Refused != nil && !in.route.always:
		in.server.options.Refused(in.format, in.status())
		return nil
	default:
		return nil
	}
	r := &actors.Record{
		RequestID: in.id, At: in.startedAt, Client: in.key.name,
		FormatIn: in.format, Operation: c.operation, Asked: clip(c.model),
		Source: c.acquire.Session.Source, Session: c.acquire.Session.Primary,
		Attempts: in.tries, Rejected: in.rejected, Dropped: in.dropped, Lost: in.lost, Status: in.status(), Outcome: in.outcome,
		Queued: in.queued, Waited: in.waited, Total: total, Overhead: max(0, total-in.elsewhere-in.waited), Usage: in.usage,
	}
	if n := len(in.tries); n > 0 {
		last := &in.tries[n-1]
		r.FormatOut, r.Used = in.formatOut, last.Route
		if last.Field != nil {
			r.Strategy = last.Field.Strategy
		}
		if last.FirstByte > 0 {
			r.FirstByte = last.BeganAt + last.FirstByte
		}
	}
	if in.err != nil {
		r.Err = fault.Code(in.err)
	}
	in.server.pool.Record(r)
	return r
}

// report is what a capture of the request tells besides its bytes.
func (in *inbound) report(total time.Duration) capture.Report {
	r := capture.Report{
		ID: in.id, At: in.startedAt, Status: in.status(), Header: in.w.Header(), Sent: in.w.Size, Facts: in.facts(total),
		Failed: in.failed(),
	}
	for i := range in.tries {
		t := &in.tries[i]
		r.Tries = append(r.Tries, fmt.Sprintf("%s at %s, model %s, %s: %s (status %d, %s) after %s, in %s",
			t.Credential, t.Provider, t.Model, t.Why, t.Outcome, t.Status, t.Reason, t.BeganAt, t.Total))
	}
	return r
}

// hide keeps what a credential is used with out of the request's capture.
func (in *inbound) hide(c *providers.Credential) {
	in.capture.Hide(c.Secret.Reveal())
	for _, headers := range [...][]providers.Header{c.Upstream.Headers, c.Headers} {
		for _, h := range headers {
			in.capture.Hide(h.Value.Reveal())
		}
	}
}

// paths returns where the losses lie.
func paths(lost []translate.Loss) []string {
	if len(lost) == 0 {
		return nil
	}
	list := make([]string, len(lost))
	for i, l := range lost {
		list[i] = clip(l.Path)
	}
	return list
}

// maxNameBytes bounds the names of models in records: clients may name a model as they like,
// and thousands of records are kept.
const maxNameBytes = 256

// clip returns name, or its beginning, without the memory of the rest.
func clip(name string) string {
	if len(name) <= maxNameBytes {
		return name
	}
	return strings.ToValidUTF8(name[:maxNameBytes], "") + "…"
}

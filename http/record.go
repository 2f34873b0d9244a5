package httpapi

import (
	"strings"
	"time"

	"github.com/understudyhq/understudy/actors"
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
		BeganAt: a.beganAt.Sub(in.startedAt), Waited: a.lease.Waited, Total: time.Since(a.beganAt),
	}
	if !a.firstByteAt.IsZero() {
		r.FirstByte = a.firstByteAt.Sub(a.beganAt)
	}
	in.tries = append(in.tries, r)
	in.usage = o.Usage
	in.formatOut, in.lost = a.format, paths(a.losses)
	if a.dropped > in.dropped {
		in.dropped = a.dropped
	}
}

// record hands the engine what this request was about, if it was about a model.
func (in *inbound) record(total time.Duration) {
	c := in.call
	if c == nil {
		return
	}
	r := &actors.Record{
		RequestID: in.id, At: in.startedAt, Client: in.key.name,
		FormatIn: in.format, Operation: c.operation, Asked: clip(c.model),
		Source: c.acquire.Session.Source, Session: c.acquire.Session.Primary,
		Attempts: in.tries, Rejected: in.rejected, Dropped: in.dropped, Lost: in.lost, Status: in.w.Status, Outcome: in.outcome,
		Queued: in.queued, Waited: in.waited, Total: total, Usage: in.usage,
	}
	if in.gone {
		r.Status = statusClientGone
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

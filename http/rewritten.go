package httpapi

import (
	"fmt"
	"io"
	"strings"

	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/payload"
	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/providers"
)

// ownBody returns the body that goes out if it is not the client's; nil = it is.
func (a *attempt) ownBody() ([]byte, error) {
	if a.translated != nil {
		return a.translated.body, nil
	}
	return a.rewritten()
}

// rewritten returns the client's body for an upstream of its own format where that must not be
// what it has sent: with the reasoning that the model's suffix asks for, without reasoning for
// a model that is configured not to think, and without what only upstreams of other formats
// could read. nil = it goes out as it is.
func (a *attempt) rewritten() ([]byte, error) {
	if a.call.body == nil || !translatable(a.call.operation) {
		return nil, nil
	}
	sent, levels := a.call.body.Bytes, a.levels()
	a.unmark = a.unmark || a.server.translates.Load() // looking through a large body costs as much as relaying it
	marks := a.unmark && translate.HasMarks(sent)
	silent := !translate.Thinks(levels) && translate.HasReasoning(a.in.format, sent)
	var asked translate.Reasoning
	if a.call.operation == providers.Generate {
		asked = translate.Fit(translate.Suffix(a.lease.Suffix), levels)
	}
	if !marks && !silent && !asked.Said() {
		return nil, nil
	}
	out, _ := payload.Outbound(a.call.body, a.edits())
	body, err := io.ReadAll(out)
	_ = out.Close()
	if err == nil && marks {
		body = translate.DropMarks(a.in.format, body)
	}
	if err == nil && silent {
		body, err = translate.DropReasoning(a.in.format, body)
	}
	if err == nil && asked.Said() {
		body, err = translate.SetReasoning(a.in.format, body, asked)
	}
	return body, err
}

// levels are those of reasoning that the lease's model takes; nil = not known.
func (a *attempt) levels() []string {
	return a.lease.Credential.Upstream.Reasoning(a.upstreamCall.Model)
}

// checkSuffix refuses a level that the client has asked for by name, in words of the upstream's
// own vendor, and that the model does not have. Between vendors, whose levels differ, the
// nearest one is meant.
func (a *attempt) checkSuffix() error {
	levels := a.levels()
	asked := translate.Suffix(a.lease.Suffix)
	if vendor(a.in.format) != vendor(a.format) || !translate.Thinks(levels) || translate.Takes(asked, levels) {
		return nil
	}
	e := fault.BadRequest("unsupported_value", fmt.Sprintf("The model %s does not have the level of reasoning %q. It has %s.",
		a.upstreamCall.Model, asked.Level, strings.Join(levels, ", ")), nil)
	e.Param = "model"
	return e
}

// vendor is whose words a format has.
func vendor(f providers.Format) providers.Format {
	if f == providers.OpenAIResponses {
		return providers.OpenAIChat
	}
	return f
}

// unfit is the result of an attempt whose model does not have what the client asks for by name.
// Another one may.
func (a *attempt) unfit(err error) result {
	o := providers.Outcome{Kind: providers.RequestFault, Reason: "level of reasoning not supported"}
	return result{outcome: o, failure: &failure{outcome: o, cause: err, next: true}}
}

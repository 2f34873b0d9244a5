package httpapi

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/tap"
	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/providers"
)

// translated is an attempt whose upstream speaks another format than the client.
type translated struct {
	body   []byte // of the upstream call
	answer *translate.Answer
	kept   bool // for later requests
}

// translatable reports whether an operation can be asked of an upstream of another format.
func translatable(op providers.Operation) bool {
	return op == providers.Generate || op == providers.CountTokens
}

// outboundFormat is what an upstream is spoken to in: the client's format, or else the one
// that the upstream prefers.
func outboundFormat(in providers.Format, op providers.Operation, u *providers.Upstream) providers.Format {
	if u.Speaks(in) || !translatable(op) || len(u.Formats) == 0 {
		return in
	}
	if op == providers.CountTokens {
		if i := slices.IndexFunc(u.Formats, translate.CanCount); i >= 0 {
			return u.Formats[i]
		}
	}
	return u.Formats[0]
}

// translate prepares the call for the upstream's format. Its errors are answers; another
// credential, of another format, may do better.
func (a *attempt) translate() error {
	c := a.call
	if len(c.pins) > 0 { // what it refers to lies nowhere that can be asked in this format
		return c.pinLost()
	}
	if c.translation == nil {
		t, err := translate.Decode(a.in.format, c.body.Bytes, c.operation == providers.CountTokens)
		if err != nil {
			return untranslatable(err)
		}
		c.translation = t
	}
	encode := c.translation.Encode
	if c.operation == providers.CountTokens {
		encode = c.translation.EncodeCount
	}
	body, lost, err := encode(translate.Upstream{
		Format: a.format, Model: a.upstreamCall.Model, Stream: c.stream, Reasoning: translate.Suffix(a.lease.Suffix),
		Levels: a.levels(), Compatible: a.lease.Credential.Upstream.Kind == "openai-compatible",
	})
	if err != nil {
		return untranslatable(err)
	}
	a.logLost(lost)
	a.losses = lost
	a.upstreamCall.Query = ""
	if a.format == providers.Gemini && c.stream {
		a.upstreamCall.Query = "alt=sse"
	}
	a.server.translates.Store(true)
	a.translated = &translated{
		body:   body,
		answer: c.translation.Answer(a.format, translate.Client{Stream: c.stream, Array: c.array, ID: a.in.id, At: a.in.startedAt}),
	}
	if a.keeps() {
		a.translated.answer.Keep()
	}
	return nil
}

func untranslatable(err error) *fault.Error {
	message, param := translate.Message(err)
	e := fault.BadRequest("not_translatable", message, err)
	e.Param = param
	return e
}

func (a *attempt) logLost(lost []translate.Loss) {
	if len(lost) == 0 || !a.server.logger.Enabled(a.in.ctx, slog.LevelDebug) {
		return
	}
	a.server.logger.LogAttrs(a.in.ctx, slog.LevelDebug, "request loses something in translation",
		slog.String("request_id", a.in.id), slog.String("format_in", string(a.in.format)),
		slog.String("format_out", string(a.format)), slog.Any("lost", paths(lost)))
}

// translatedHeader returns the client's headers without those of its own format and with
// what the upstream's wants. What is configured comes on top of them.
func (a *attempt) translatedHeader() http.Header {
	client := a.in.r.Header
	h := make(http.Header, len(client)+3)
	for name, values := range client {
		if !isFormatHeader(name) {
			h[name] = values
		}
	}
	h["Content-Type"] = []string{"application/json"}
	h["Accept"] = []string{"application/json"}
	if a.call.stream {
		h["Accept"] = []string{"text/event-stream"}
	}
	if a.format == providers.Anthropic {
		h["Anthropic-Version"] = []string{anthropicVersion}
	}
	return h
}

// isFormatHeader reports whether a header, in canonical case, speaks of one vendor's API or
// of its SDK.
func isFormatHeader(name string) bool {
	for _, prefix := range [...]string{"Anthropic-", "Openai-", "X-Openai-", "X-Goog-", "X-Stainless-", "X-Codex-", "X-Claude-Code-", "X-Server-Timeout"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// foreignRefusal is what a client is told of an error in another format.
func (a *attempt) foreignRefusal(o providers.Outcome, status int, body []byte) *fault.Error {
	f := translate.Failure(a.format, a.in.format, status, body)
	return &fault.Error{
		Status:     cmp.Or(status, f.Status, http.StatusBadGateway),
		Code:       f.Code,
		Message:    cmp.Or(f.Message, http.StatusText(status), "The upstream failed."),
		Param:      f.Param,
		RetryAfter: max(f.RetryAfter, o.RetryAfter),
		Final:      o.Kind == providers.RequestFault,
	}
}

// translatedAnswer passes a whole answer on in the client's format.
func (a *attempt) translatedAnswer(resp *http.Response, body []byte, o providers.Outcome) result {
	if a.call.operation == providers.CountTokens {
		return a.translatedCount(resp, body, o)
	}
	out, err := a.translated.answer.Whole(body)
	if err != nil {
		return a.broken(resp, fmt.Errorf("%w: %w", fault.ErrMalformedAnswer, err))
	}
	a.keep() // before the client can refer to it
	a.served()
	a.sendTranslated(resp, out)
	return result{outcome: o}
}

func (a *attempt) sendTranslated(resp *http.Response, body []byte) {
	copyAnswerHeader(a.in.w.Header(), a.translatedAnswerHeader(resp))
	a.in.send(http.StatusOK, body)
}

// translatedAnswerHeader returns what of an answer's headers means the same in any format.
func (a *attempt) translatedAnswerHeader(resp *http.Response) http.Header {
	h := http.Header{"Content-Type": {a.translated.answer.ContentType()}}
	for _, name := range [...]string{"X-Request-Id", "Cache-Control"} {
		if values := resp.Header[name]; len(values) > 0 {
			h[name] = values
		}
	}
	return h
}

// isCollected reports whether the client wants whole what comes as a stream.
func (a *attempt) isCollected() bool { return a.translated != nil && !a.call.stream }

// passTranslated passes on what the last piece of a stream has come to. waiting tells that
// there was no payload before it. It returns a result if the attempt is over with it.
func (a *attempt) passTranslated(resp *http.Response, t *tap.Tap, waiting bool) *result {
	if t.Failure != nil {
		return a.streamFailed(resp, t)
	}
	if waiting && t.Begun {
		a.watchdog.begun(a.in.settings.streamIdle)
	}
	if a.translated.answer.Finished() {
		a.keep() // before the client can refer to it
	}
	if a.isCollected() {
		return nil
	}
	if err := a.out.passEvents(a.translated.answer.Out(), t.Begun); err != nil {
		r := a.lost(err)
		r.outcome.Usage = a.cost(t)
		return &r
	}
	if waiting && t.Begun {
		a.served()
	}
	return nil
}

// streamFailed is the result of a translated stream that the upstream has ended with an error
// of its own, behind payload.
func (a *attempt) streamFailed(resp *http.Response, t *tap.Tap) *result {
	if a.out.drop() { // the client has seen nothing of it
		r := a.streamRefused(resp, t)
		return &r
	}
	o := a.classify(resp, t.Failure, nil)
	o.Usage = a.cost(t)
	e := a.foreignRefusal(o, tap.RefusalStatus(a.format, o, t.Failure), t.Failure)
	if err := a.out.passEvents(a.translated.answer.Out(), true); err != nil {
		r := a.lost(err)
		return &r
	}
	if err := a.out.fail(a.streamError(t, e)); err != nil {
		a.in.gone = true
	}
	return &result{outcome: o, err: fmt.Errorf("upstream failed in its stream: %s", o.Reason)}
}

// refusedMarks reports whether an upstream of the client's own format has refused a request that
// holds signatures which the gateway has marked, before it was started anew perhaps. Without
// them it would be taken.
func (a *attempt) refusedMarks(r result) bool {
	return a.translated == nil && r.failure != nil && r.failure.answer != nil && r.outcome.Kind == providers.RequestFault &&
		a.call.body != nil && translatable(a.call.operation) && translate.HasMarks(a.call.body.Bytes)
}

// endTranslated passes the end of a stream on.
func (a *attempt) endTranslated(resp *http.Response) error {
	a.translated.answer.Close()
	a.keep()
	if a.call.stream {
		return a.out.passEvents(a.translated.answer.Out(), true)
	}
	a.sendTranslated(resp, a.translated.answer.Collected())
	return nil
}

// progress tells how far the client's stream has come.
func (a *attempt) progress(t *tap.Tap) tap.Progress {
	if a.translated == nil {
		return t.Progress
	}
	p := a.translated.answer.Progress()
	return tap.Progress{Elements: p.Elements, ResponseID: p.ResponseID, Sequence: p.Sequence}
}

// estimateHeader marks a count of tokens that no upstream has made.
const estimateHeader = "X-Understudy-Estimate"

// translatedCount passes an upstream's count of tokens on.
func (a *attempt) translatedCount(resp *http.Response, body []byte, o providers.Outcome) result {
	n, ok := translate.ReadCount(a.format, body)
	if !ok {
		return a.broken(resp, fmt.Errorf("%w: it counts no tokens", fault.ErrMalformedAnswer))
	}
	a.served()
	a.in.write(http.StatusOK, "application/json", translate.AppendCount(nil, a.in.format, n))
	return result{outcome: o}
}

// estimate answers a question for the number of tokens that the upstream could not answer.
// The credential is not used.
func (a *attempt) estimate() result {
	n := a.call.translation.Estimate(&a.server.tokens)
	a.in.w.Header().Set(estimateHeader, "tokens")
	a.in.write(http.StatusOK, "application/json", translate.AppendCount(nil, a.in.format, n))
	return result{outcome: providers.Outcome{Kind: providers.Canceled, Neutral: true, Reason: "estimated by the gateway"}}
}

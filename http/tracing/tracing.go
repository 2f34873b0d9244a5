// Package tracing tells of requests in spans of OpenTelemetry: one for each request of a client,
// below it one for each question for a credential and one for each attempt with one. Spans of
// attempts follow the semantic conventions for generative AI. They say who was asked, how long
// it took and what came of it, and never what was said.
//
// Everything here may be called on nil, and does nothing then: without a tracer no span is made
// and nothing is allocated.
package tracing

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/providers"
)

// scope names who makes the spans.
const scope = "github.com/understudyhq/understudy"

// Attributes that no convention has.
const (
	keyRequestID  = attribute.Key("understudy.request_id")
	keyFormatIn   = attribute.Key("understudy.format_in")
	keyFormatOut  = attribute.Key("understudy.format_out")
	keyCredential = attribute.Key("understudy.credential")
	keyProvider   = attribute.Key("understudy.provider")
	keyWhy        = attribute.Key("understudy.why")
	keyWaited     = attribute.Key("understudy.waited_seconds")
	keyAttempts   = attribute.Key("understudy.attempts")
)

// Tracer makes spans. A nil one makes none.
type Tracer struct{ tracer trace.Tracer }

// New returns a tracer that makes its spans with p; nil if p is.
func New(p trace.TracerProvider, version string) *Tracer {
	if p == nil {
		return nil
	}
	return &Tracer{p.Tracer(scope, trace.WithInstrumentationVersion(version), trace.WithSchemaURL(semconv.SchemaURL))}
}

// Request is the span of one request of a client.
type Request struct {
	tracer trace.Tracer
	span   trace.Span
	ctx    context.Context
}

// Begin begins the span of a request that a route takes, below the client's own span if it
// sent one.
func (t *Tracer) Begin(r *http.Request, route, requestID string) *Request {
	if t == nil {
		return nil
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	name := r.Method
	attrs := []attribute.KeyValue{methodOf(r.Method), keyRequestID.String(requestID)}
	if route != "" {
		name += " " + route
		attrs = append(attrs, semconv.HTTPRoute(route))
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attrs...))
	return &Request{t.tracer, span, ctx}
}

// methodOf returns the method of a request, from a closed list.
func methodOf(method string) attribute.KeyValue {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return semconv.HTTPRequestMethodKey.String(method)
	default:
		return semconv.HTTPRequestMethodOther
	}
}

// End ends the span. r is the request's record, nil if it named no model; code names what the
// client was told, empty if that was no error of the gateway's.
func (q *Request) End(r *actors.Record, status int, code string) {
	if q == nil {
		return
	}
	q.span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	if r != nil && q.span.IsRecording() {
		q.span.SetAttributes(
			operationOf(r.FormatIn, r.Operation), semconv.GenAIRequestModel(r.Asked),
			keyFormatIn.String(string(r.FormatIn)), keyAttempts.Int(len(r.Attempts)),
		)
		if !r.Session.IsZero() {
			q.span.SetAttributes(semconv.GenAIConversationID(r.Session.String()))
		}
	}
	failed := status >= http.StatusInternalServerError
	if code != "" || failed {
		q.span.SetAttributes(semconv.ErrorTypeKey.String(cmp.Or(code, strconv.Itoa(status))))
	}
	if failed {
		q.span.SetStatus(codes.Error, code)
	}
	q.span.End()
}

// Acquire is the span of one question for a credential.
type Acquire struct{ span trace.Span }

// Acquire begins the span of a question for a credential that serves a model.
func (q *Request) Acquire(model string) *Acquire {
	if q == nil {
		return nil
	}
	_, span := q.tracer.Start(q.ctx, "acquire", trace.WithAttributes(semconv.GenAIRequestModel(model)))
	return &Acquire{span}
}

// End ends the span with a lease or, if code is set, with why there is none.
func (a *Acquire) End(l actors.Lease, code string) {
	if a == nil {
		return
	}
	if l.Credential != nil {
		a.span.SetAttributes(keyCredential.String(string(l.Credential.ID)), keyWhy.String(string(l.Why)), keyWaited.Float64(l.Waited.Seconds()))
	}
	if code != "" {
		a.span.SetAttributes(semconv.ErrorTypeKey.String(code))
		a.span.SetStatus(codes.Error, code)
	}
	a.span.End()
}

// Attempt is the span of one call to an upstream.
type Attempt struct {
	span  trace.Span
	ctx   context.Context
	model bool // the answer has named its model
}

// Attempt begins the span of the use of a lease.
func (q *Request) Attempt(l actors.Lease, operation providers.Operation, format providers.Format, stream bool) *Attempt {
	if q == nil {
		return nil
	}
	op, c := operationOf(format, operation), l.Credential
	attrs := []attribute.KeyValue{
		op, providerOf(c.Upstream), semconv.GenAIRequestModel(l.Model), semconv.GenAIRequestStream(stream),
		keyFormatOut.String(string(format)), keyProvider.String(c.Upstream.Name), keyCredential.String(string(c.ID)), keyWhy.String(string(l.Why)),
	}
	base := c.Base
	if base == nil {
		base = c.Upstream.Base
	}
	if base != nil && base.Host != "" {
		attrs = append(attrs, semconv.ServerAddress(base.Hostname()))
		if port, err := strconv.Atoi(base.Port()); err == nil {
			attrs = append(attrs, semconv.ServerPort(port))
		}
	}
	ctx, span := q.tracer.Start(q.ctx, op.Value.AsString()+" "+l.Model, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	return &Attempt{span: span, ctx: ctx}
}

// Context returns ctx with the span, for whoever makes spans of its own below it.
func (a *Attempt) Context(ctx context.Context) context.Context {
	if a == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, a.span)
}

// Inject tells the upstream of the span, in place of the client's.
func (a *Attempt) Inject(h http.Header) {
	if a != nil {
		h.Del("Tracestate") // it goes with the client's span, and comes back with ours
		propagation.TraceContext{}.Inject(a.ctx, propagation.HeaderCarrier(h))
	}
}

// End ends the span with what came of the attempt. firstByte is how long the first payload byte
// took; 0 = there was none.
func (a *Attempt) End(o providers.Outcome, firstByte time.Duration) {
	if a == nil {
		return
	}
	if firstByte > 0 {
		a.span.SetAttributes(semconv.GenAIResponseTimeToFirstChunk(firstByte.Seconds()))
	}
	if o.Status != 0 {
		a.span.SetAttributes(semconv.HTTPResponseStatusCode(o.Status))
	}
	u := o.Usage
	for key, n := range map[attribute.Key]int64{
		semconv.GenAIUsageInputTokensKey: u.InputTokens, semconv.GenAIUsageOutputTokensKey: u.OutputTokens,
		semconv.GenAIUsageCacheReadInputTokensKey: u.CachedTokens, semconv.GenAIUsageCacheCreationInputTokensKey: u.CacheWriteTokens,
	} {
		if n > 0 {
			a.span.SetAttributes(key.Int64(n))
		}
	}
	if o.Kind != providers.Success {
		a.span.SetAttributes(semconv.ErrorTypeKey.String(string(o.Kind)))
		if o.Kind != providers.Canceled {
			a.span.SetStatus(codes.Error, string(o.Kind))
		}
	}
	a.span.End()
}

// operationOf is what the conventions call an operation.
func operationOf(f providers.Format, o providers.Operation) attribute.KeyValue {
	switch o {
	case providers.Generate:
		if f == providers.Gemini {
			return semconv.GenAIOperationNameGenerateContent
		}
		return semconv.GenAIOperationNameChat
	case providers.Complete:
		return semconv.GenAIOperationNameTextCompletion
	case providers.Embed, providers.BatchEmbed:
		return semconv.GenAIOperationNameEmbeddings
	default:
		return semconv.GenAIOperationNameKey.String(strings.ReplaceAll(string(o), "-", "_"))
	}
}

// providerOf is what the conventions call a vendor; one that they do not know goes by its
// configured name.
func providerOf(u *providers.Upstream) attribute.KeyValue {
	switch u.Kind {
	case "openai":
		return semconv.GenAIProviderNameOpenAI
	case "anthropic":
		return semconv.GenAIProviderNameAnthropic
	case "gemini":
		return semconv.GenAIProviderNameGCPGemini
	case "vertex":
		return semconv.GenAIProviderNameGCPVertexAI
	default:
		return semconv.GenAIProviderNameKey.String(u.Name)
	}
}

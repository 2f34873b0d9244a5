package simulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/peek"
	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/simulator/prompt"
	"github.com/understudyhq/understudy/providers/simulator/refusal"
)

// maxBodyBytes bounds a request body.
const maxBodyBytes = 256 << 20

// created is when everything was made: answers must not depend on the clock.
const created = 1767225600 // 2026-01-01T00:00:00Z

// object is a JSON object to be sent.
type object = map[string]any

// exchange is one request on its way to its answer.
type exchange struct {
	upstream   *Upstream
	w          http.ResponseWriter
	r          *http.Request
	credential *credential
	fault      Fault
	body       gjson.Result // a valid object
	name       string       // names everything this answer makes: a hash of the body
	startedAt  time.Time    // zero = not a request of a credential
	status     int          // of the head that was sent; 0 = none was
	chunks     int          // stream events sent
	chunkDelay time.Duration
	buffer     []byte // for stream events
}

// serve answers the request. After a failure, which the client is still to be told of,
// nothing was sent.
func (x *exchange) serve() *refusal.Failure {
	c, ok := x.upstream.credentials[keyOf(x.r)]
	if !ok {
		return &refusal.Failure{Status: http.StatusUnauthorized, Message: "Incorrect API key provided."}
	}
	x.credential = c
	if handle, ok := listing(x.r); ok {
		return handle(x)
	}
	e, refused := route(x.r)
	if refused != nil {
		return refused
	}
	body, refused := x.readBody()
	if refused != nil {
		return refused
	}
	x.startedAt = time.Now()
	x.fault = c.next(x.startedAt)
	x.setHeaders()
	if refused := x.stop(); refused != nil {
		x.wait(x.fault.Delay + x.upstream.latency)
		return refused
	}
	if e.bodyless {
		return e.handle(x)
	}
	if _, err := peek.Scan(body); err != nil {
		return refusal.Invalid("", "We could not parse the JSON body of your request: "+err.Error())
	}
	x.body = gjson.ParseBytes(body)
	return e.handle(x)
}

// stop returns the refusal of a request that its fault, or its account's limit, keeps out.
func (x *exchange) stop() *refusal.Failure {
	if status := x.fault.Status; status >= http.StatusOK {
		return &refusal.Failure{Status: status, Message: "A fault script made this answer " + strconv.Itoa(status) + "."}
	}
	wait := x.credential.account.Take(x.startedAt)
	if wait <= 0 {
		return nil
	}
	seconds := strconv.Itoa(int((wait + time.Second - 1) / time.Second))
	x.w.Header().Set("Retry-After", seconds)
	return refusal.Limited(formatOf(x.r), seconds)
}

// readBody reads the whole body, as it must be for a server to notice that its client went
// away, and derives the answer's name from it.
func (x *exchange) readBody() ([]byte, *refusal.Failure) {
	var body bytes.Buffer
	if n := x.r.ContentLength; n > 0 && n <= maxBodyBytes {
		body.Grow(int(n) + bytes.MinRead)
	}
	n, err := body.ReadFrom(io.LimitReader(x.r.Body, maxBodyBytes+1))
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	if n > maxBodyBytes {
		return nil, &refusal.Failure{Status: http.StatusRequestEntityTooLarge, Message: "Request body too large."}
	}
	sum := sha256.Sum256(body.Bytes())
	x.name = hex.EncodeToString(sum[:12])
	return body.Bytes(), nil
}

// id returns a name for something of this answer.
func (x *exchange) id(prefix string) string { return prefix + x.name }

func (x *exchange) setHeaders() {
	h := x.w.Header()
	switch formatOf(x.r) {
	case providers.Anthropic:
		h.Set("Request-Id", x.id("req_"))
		if x.credential.organisation != "" {
			h.Set("Anthropic-Organization-Id", x.credential.organisation)
		}
	case providers.OpenAIChat, providers.OpenAIResponses:
		h.Set("X-Request-Id", x.id("req_"))
		if x.credential.organisation != "" {
			h.Set("Openai-Organization", x.credential.organisation)
		}
	}
	for name, value := range x.fault.Headers {
		h.Set(name, value)
	}
}

// newPrompt returns an empty prompt that the credential's cache can be asked about.
func (x *exchange) newPrompt(model string) *prompt.Prompt {
	return prompt.New(model, x.credential.cache.Seed)
}

// reply makes the answer to p. It uses the credential's prompt cache.
func (x *exchange) reply(p *prompt.Prompt) prompt.Reply {
	return p.Reply(x.credential.cache.Use(p.Prefixes(), time.Now()))
}

// refuse tells the client of f in its own format.
func (x *exchange) refuse(f *refusal.Failure) {
	x.fault.CutAfter = 0 // a refusal is whole
	x.sendStatus(f.Status, f.Body(formatOf(x.r), x.id("req_")))
}

// model returns the model the body asks for.
func (x *exchange) model() (string, *refusal.Failure) {
	model := x.body.Get("model")
	if model.Type != gjson.String || model.Str == "" {
		return "", refusal.Invalid("model", "You must provide a model parameter.")
	}
	if !x.upstream.serves(model.Str) {
		return "", refusal.UnknownModel(model.Str)
	}
	return model.Str, nil
}

// pace waits as long as options, fault script and marks want the first byte to take, and
// sets the time between chunks.
func (x *exchange) pace(m prompt.Marks) {
	x.chunkDelay = x.upstream.chunkDelay
	if m.Chunk > 0 {
		x.chunkDelay = m.Chunk
	}
	x.wait(x.upstream.latency + x.fault.Delay + m.Delay)
}

// wait pauses for d. It aborts the answer when the client goes.
func (x *exchange) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// send answers with one JSON value, or with half of it if the fault script cuts.
func (x *exchange) send(v any) { x.sendStatus(http.StatusOK, v) }

func (x *exchange) sendStatus(status int, v any) {
	body := marshal(v)
	x.w.Header().Set("Content-Type", "application/json")
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.status = status
	x.w.WriteHeader(status)
	if x.fault.CutAfter > 0 {
		x.write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	}
	// A client that has gone meanwhile is no trouble of the simulator.
	_, _ = x.w.Write(body)
}

// write sends b at once. It aborts the answer if the client has gone.
func (x *exchange) write(b []byte) {
	_, err := x.w.Write(b)
	if err == nil {
		err = http.NewResponseController(x.w).Flush()
	}
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		panic(http.ErrAbortHandler)
	}
}

// marshal encodes v, which is made of this package's own values.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("simulator: " + err.Error())
	}
	return b
}

// quote returns s as JSON.
func quote(s string) string { return string(peek.AppendString(nil, s)) }

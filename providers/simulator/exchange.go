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
	chunks     int          // stream events sent
	chunkDelay time.Duration
	buffer     []byte // for stream events
}

// serve answers the request. After a failure, which the client is still to be told of,
// nothing was sent.
func (x *exchange) serve() *failure {
	c, ok := x.upstream.credentials[keyOf(x.r)]
	if !ok {
		return &failure{status: http.StatusUnauthorized, message: "Incorrect API key provided."}
	}
	x.credential = c
	if handle, ok := listing(x.r); ok {
		return handle(x)
	}
	handle, refused := route(x.r)
	if refused != nil {
		return refused
	}
	body, refused := x.readBody()
	if refused != nil {
		return refused
	}
	x.fault = c.next()
	x.setHeaders()
	if status := x.fault.Status; status >= http.StatusOK {
		x.wait(x.fault.Delay + x.upstream.latency)
		return &failure{status: status, message: "A fault script made this answer " + strconv.Itoa(status) + "."}
	}
	if _, err := peek.Scan(body); err != nil {
		return invalid("", "We could not parse the JSON body of your request: "+err.Error())
	}
	x.body = gjson.ParseBytes(body)
	return handle(x)
}

// readBody reads the whole body, as it must be for a server to notice that its client went
// away, and derives the answer's name from it.
func (x *exchange) readBody() ([]byte, *failure) {
	var body bytes.Buffer
	if n := x.r.ContentLength; n > 0 && n <= maxBodyBytes {
		body.Grow(int(n) + bytes.MinRead)
	}
	n, err := body.ReadFrom(io.LimitReader(x.r.Body, maxBodyBytes+1))
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	if n > maxBodyBytes {
		return nil, &failure{status: http.StatusRequestEntityTooLarge, message: "Request body too large."}
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
		if x.credential.account != "" {
			h.Set("Anthropic-Organization-Id", x.credential.account)
		}
	case providers.OpenAIChat, providers.OpenAIResponses:
		h.Set("X-Request-Id", x.id("req_"))
		if x.credential.account != "" {
			h.Set("Openai-Organization", x.credential.account)
		}
	}
	for name, value := range x.fault.Headers {
		h.Set(name, value)
	}
}

// model returns the model the body asks for.
func (x *exchange) model() (string, *failure) {
	model := x.body.Get("model")
	if model.Type != gjson.String || model.Str == "" {
		return "", invalid("model", "You must provide a model parameter.")
	}
	if !x.upstream.serves(model.Str) {
		return "", unknownModel(model.Str)
	}
	return model.Str, nil
}

// pace waits as long as options, fault script and marks want the first byte to take, and
// sets the time between chunks.
func (x *exchange) pace(m marks) {
	x.chunkDelay = x.upstream.chunkDelay
	if m.chunk > 0 {
		x.chunkDelay = m.chunk
	}
	x.wait(x.upstream.latency + x.fault.Delay + m.delay)
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

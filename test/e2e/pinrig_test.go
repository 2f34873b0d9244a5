package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// made answers as answerTo does, but names what it makes after the credential and its count
// of requests: resp_a_1, conv_a_1, msg_a_1 and, in a header, turn_a_1.
func made(q fake.Request) fake.Reply {
	reply := answerTo(q)
	name := fmt.Sprintf("%s_%d", strings.TrimPrefix(q.Key, upstreamMark), q.N)
	names := strings.NewReplacer(
		"resp_fake", "resp_"+name, "msg_fake", "msg_"+name,
		`"object":"response"`, `"object":"response","conversation":{"id":"conv_`+name+`"}`,
	)
	reply.Body = []byte(names.Replace(string(reply.Body)))
	chunks := make([][]byte, len(reply.Chunks))
	for i, chunk := range reply.Chunks {
		chunks[i] = []byte(names.Replace(string(chunk)))
	}
	reply.Chunks = chunks
	reply.Header = reply.Header.Clone()
	reply.Header.Set("X-Codex-Turn-State", "turn_"+name)
	return reply
}

// reference is one way to refer to what lies at one organisation only.
type reference struct {
	kind       string // of the provider
	target     string
	first      string // the body that makes it
	next       string // the body that refers to NAME
	header     string // that refers to NAME; empty = the body does
	path, code string // what the client is told when it is gone, in the vendor's words
	param      string
}

func references() map[string]reference {
	responses := func(member string) reference {
		return reference{
			kind: config.KindOpenAI, target: "/v1/responses",
			first: `{"model":"m","input":"hi"}`, next: `{"model":"m","input":"more"` + member + `}`, path: "error.code",
		}
	}
	previous := responses(`,"previous_response_id":"resp_NAME"`)
	previous.code, previous.param = "previous_response_not_found", "previous_response_id"
	conversation := responses(`,"conversation":"conv_NAME"`)
	conversation.code, conversation.param = "conversation_not_found", "conversation"
	object := responses(`,"conversation":{"id":"conv_NAME"}`)
	object.code, object.param = "conversation_not_found", "conversation"
	turnState := responses("")
	turnState.header, turnState.code = "x-codex-turn-state", "turn_state_not_found"
	return map[string]reference{
		"previous_response_id":   previous,
		"conversation":           conversation,
		"conversation as object": object,
		"x-codex-turn-state":     turnState,
		"thread": {
			kind: config.KindAnthropic, target: "/v1/messages",
			first: `{"model":"m","max_tokens":64,"thread":{"type":"new"},"messages":[{"role":"user","content":"hi"}]}`,
			next: `{"model":"m","max_tokens":64,"thread":{"type":"continue","previous_message_id":"msg_NAME"},` +
				`"messages":[{"role":"user","content":"more"}]}`,
			path: "error.details.error_code", code: "thread_not_found",
		},
	}
}

// body returns what a request says; NAME in it is name.
func (ref reference) body(text, name string, stream bool) string {
	text = strings.ReplaceAll(text, "NAME", name)
	if stream {
		return streaming(text)
	}
	return text
}

// pinRig is a rig whose client makes and uses one kind of reference.
type pinRig struct {
	*rig
	ref     reference
	stream  bool
	failing sync.Map // fake.Reply by the key of the credential that fails
}

// inTurn is round robin without affinity: nothing but a pin sends two requests to one.
func inTurn(c *config.Config) { c.Routing.Strategy = config.RoundRobin }

// eachReference runs f for each kind of reference, made in whole answers and in streams. The
// upstream answers as script says, or made if that is nil.
func eachReference(t *testing.T, adjust func(*config.Config), script func(fake.Request) fake.Reply, f func(t *testing.T, p *pinRig)) {
	t.Helper()
	if script == nil {
		script = made
	}
	for name, ref := range references() {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stream %t", name, stream), func(t *testing.T) {
				t.Parallel()
				p := &pinRig{ref: ref, stream: stream}
				inBubble(t, setup{kinds: []string{ref.kind}, adjust: adjust, script: p.script(script)}, func(t *testing.T, r *rig) {
					p.rig = r
					f(t, p)
				})
			})
		}
	}
}

func (p *pinRig) script(otherwise func(fake.Request) fake.Reply) func(fake.Request) fake.Reply {
	return func(q fake.Request) fake.Reply {
		if reply, fails := p.failing.Load(q.Key); fails {
			return reply.(fake.Reply)
		}
		return otherwise(q)
	}
}

// fail makes a credential answer with a status from now on; 0 = well again.
func (p *pinRig) fail(id string, status int, header ...string) {
	if status == 0 {
		p.failing.Delete(secretOf(id))
		return
	}
	format := "openai-responses"
	if p.ref.kind == config.KindAnthropic {
		format = "anthropic"
	}
	reply := fake.Error(format, status)
	for i := 0; i < len(header); i += 2 {
		reply.Header.Set(header[i], header[i+1])
	}
	p.failing.Store(secretOf(id), reply)
}

// make makes what is referred to later, and returns who made it.
func (p *pinRig) make() string {
	p.t.Helper()
	before := len(p.served())
	got := p.post(p.ref.target, p.ref.body(p.ref.first, "", p.stream))
	require.Equal(p.t, http.StatusOK, got.status, "%s", got.body)
	served := p.served()
	require.Len(p.t, served, before+1)
	return served[before]
}

// refer sends the request that refers to what maker made with its n-th request.
func (p *pinRig) refer(maker string, n int, header ...string) answer {
	p.t.Helper()
	name := fmt.Sprintf("%s_%d", maker, n)
	if p.ref.header != "" {
		header = append(header, p.ref.header, "turn_"+name)
	}
	return p.post(p.ref.target, p.ref.body(p.ref.next, name, p.stream), header...)
}

// requireLost checks that got says, in the vendor's words, that what is referred to is not
// there.
func (p *pinRig) requireLost(got answer) {
	p.t.Helper()
	require.Equal(p.t, http.StatusNotFound, got.status, "%s", got.body)
	require.Equal(p.t, p.ref.code, gjson.GetBytes(got.body, p.ref.path).String(), "%s", got.body)
	if p.ref.param != "" {
		require.Equal(p.t, p.ref.param, gjson.GetBytes(got.body, "error.param").String())
	}
	require.Equal(p.t, "false", got.header.Get("X-Should-Retry"))
	require.Equal(p.t, "application/json", got.header.Get("Content-Type"))
}

// reconfigure applies the rig's configuration with a change.
func (r *rig) reconfigure(change func(*config.Config)) {
	r.t.Helper()
	next := r.config()
	change(next)
	_, err := r.gateway.Apply(next)
	require.NoError(r.t, err)
}

// record returns what the gateway noted of a request, and looks for secrets in it. An id is
// used once where there are sockets: there, a client may have its answer before the record is
// made, and the first one is waited for.
func (r *rig) record(id string) *actors.Record {
	r.t.Helper()
	var record *actors.Record
	if r.setup.bubble {
		var err error
		record, err = r.gateway.RecordOf(r.t.Context(), id)
		require.NoError(r.t, err)
	} else {
		record = await(r.facts, func(f actors.Recorded) bool { return f.Record.RequestID == id }).Record
	}
	require.NotNil(r.t, record, id)
	inspect(r.t, "record", fmt.Appendf(nil, "%+v %#v", *record, *record))
	return record
}

func without(all []config.Credential, id string) []config.Credential {
	var rest []config.Credential
	for _, c := range all {
		if c.ID != id {
			rest = append(rest, c)
		}
	}
	return rest
}

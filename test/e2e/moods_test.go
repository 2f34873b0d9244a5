package e2e

import (
	"net/http"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// moods is an upstream whose credentials and models fail as they are told. The zero value
// answers everything well.
type moods struct {
	mu      sync.Mutex
	replies map[[2]string]fake.Reply
}

// say makes a credential answer for a model with reply; empty = whichever.
func (m *moods) say(credential, model string, reply fake.Reply) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.replies == nil {
		m.replies = map[[2]string]fake.Reply{}
	}
	m.replies[[2]string{credential, model}] = reply
}

// fail makes a credential answer for a model with an error.
func (m *moods) fail(credential, model string, status int) {
	m.say(credential, model, fake.Error("openai-chat", status))
}

// limit makes a credential answer for a model with a 429 that tells how long to wait.
func (m *moods) limit(credential, model, seconds string) {
	reply := fake.Error("openai-chat", http.StatusTooManyRequests)
	reply.Header.Set("Retry-After", seconds)
	m.say(credential, model, reply)
}

// heal makes everybody answer well again.
func (m *moods) heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replies = nil
}

func (m *moods) script(r fake.Request) fake.Reply {
	credential, model := strings.TrimPrefix(r.Key, upstreamMark), gjson.GetBytes(r.Body, "model").Str
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range [][2]string{{credential, model}, {credential, ""}, {"", model}, {"", ""}} {
		if reply, ok := m.replies[key]; ok {
			return reply
		}
	}
	return answerTo(r)
}

// chat asks a model something, without a session unless header names one.
func (r *rig) chat(model string, header ...string) answer {
	r.t.Helper()
	return r.post("/v1/chat/completions", `{"model":"`+model+`"}`, header...)
}

// turns asks a model n times, one after the other, and returns who was asked.
func (r *rig) turns(model string, n int) []string {
	r.t.Helper()
	before := len(r.upstream.Requests())
	for range n {
		r.settle()
		require.Equal(r.t, http.StatusOK, r.chat(model).status)
	}
	return r.served()[before:]
}

// asked returns the credentials and models that the upstream was asked for, as
// "credential model", from the n-th request on.
func (r *rig) asked(n int) []string {
	r.t.Helper()
	served := r.served()
	var all []string
	for i, request := range r.upstream.Requests() {
		all = append(all, served[i]+" "+gjson.GetBytes(request.Body, "model").Str)
	}
	return all[n:]
}

// apply changes the configuration that the rig runs on.
func (r *rig) apply(change func(*config.Config)) {
	r.t.Helper()
	next := r.config()
	change(next)
	_, err := r.gateway.Apply(next)
	require.NoError(r.t, err)
}

// by sets the strategy.
func by(s config.Strategy) func(*config.Config) {
	return func(c *config.Config) { c.Routing.Strategy = s }
}

// credentials configures the first provider's credentials.
func credentials(all ...config.Credential) func(*config.Config) {
	return func(c *config.Config) {
		c.Providers[0].Credentials = nil
		for _, credential := range all {
			credential.APIKey = secretOf(credential.ID)
			c.Providers[0].Credentials = append(c.Providers[0].Credentials, credential)
		}
	}
}

// with makes one adjustment of several.
func with(all ...func(*config.Config)) func(*config.Config) {
	return func(c *config.Config) {
		for _, adjust := range all {
			adjust(c)
		}
	}
}

// count counts who served.
func count(ids []string) map[string]int {
	n := map[string]int{}
	for _, id := range ids {
		n[id]++
	}
	return n
}

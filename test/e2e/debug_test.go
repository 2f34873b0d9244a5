package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// managementKey is looked for wherever a client's secret must not turn up.
const managementKey = clientMark + "management"

func TestDebug_TellsWhoServed(t *testing.T) {
	t.Parallel()
	hash, err := bcrypt.GenerateFromPassword([]byte(managementKey), bcrypt.MinCost)
	require.NoError(t, err)
	for name, secret := range map[string]string{"plain": managementKey, "hashed": string(hash)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := func(q fake.Request) fake.Reply {
				if q.Key == secretOf("a") || string(q.Body) == `{"model":"m"}` {
					return fake.Error("openai-chat", http.StatusInternalServerError)
				}
				return answerTo(q)
			}
			r := start(t, setup{script: script, adjust: func(c *config.Config) {
				c.Management.SecretKey = secret
				c.Cooldown.Disabled = true
			}})
			told := func(got answer) []string {
				return append(got.header.Values("X-Understudy-Credential"), got.header.Values("X-Understudy-Attempts")...)
			}
			chat := dialects()[0]
			for _, stream := range []bool{false, true} {
				require.Equal(t, []string{"b", "2"}, told(r.ask(chat, stream, "X-Understudy-Debug", managementKey)))
				require.Empty(t, told(r.ask(chat, stream)))
			}
			require.Equal(t, []string{"c", "3"}, told(r.post(chat.plain, `{"model":"m"}`, "X-Understudy-Debug", managementKey)))
			require.Equal(t, []string{"0"}, told(r.post(chat.plain, `{"model":"x"}`, "X-Understudy-Debug", managementKey)))
			for range 5 { // MG4
				require.Empty(t, told(r.ask(chat, false, "X-Understudy-Debug", clientMark+"guess")))
			}
			require.Empty(t, told(r.ask(chat, false, "X-Understudy-Debug", managementKey)), "locked out")
			require.Equal(t, http.StatusOK, r.ask(chat, false).status)
		})
	}
}

package simulator

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

func TestLimit_IsSharedByAnAccount(t *testing.T) {
	t.Parallel()
	for _, d := range dialogs() {
		synctest.Test(t, func(t *testing.T) {
			o := twoAccounts()
			o.Limits = map[string]Limit{"acme": {Requests: 2, Window: 10 * time.Second}}
			u := New(o)
			say := func(key string) answer { return as(t, u, key, http.MethodPost, d.path, d.body("", "hi")) }
			require.Equal(t, http.StatusOK, say("a").status)
			time.Sleep(3500 * time.Millisecond)
			require.Equal(t, http.StatusOK, say("b").status)
			refused := say("a")
			require.Equal(t, http.StatusTooManyRequests, refused.status, d.format)
			require.Equal(t, "7", refused.header.Get("Retry-After"), "a started second counts")
			require.NotEmpty(t, gjson.Get(refused.body, "error.message").Str)
			require.Equal(t, http.StatusOK, say("c").status)
			time.Sleep(6500 * time.Millisecond)
			require.Equal(t, []int{200, 200, 429}, []int{say("a").status, say("a").status, say("b").status})
		})
	}
}

func TestLimit_CountsNoScriptedFailure(t *testing.T) {
	t.Parallel()
	o := twoAccounts()
	o.Limits = map[string]Limit{"acme": {Requests: 1, Window: time.Hour}}
	o.Credentials[0].Faults = []Fault{{Status: 401}}
	u, d := New(o), dialogs()[0]
	for _, want := range []struct {
		key    string
		status int
	}{{"a", 401}, {"a", 401}, {"b", 200}, {"b", 429}, {"a", 401}} {
		require.Equal(t, want.status, as(t, u, want.key, http.MethodPost, d.path, d.body("", "hi")).status)
	}
}

func TestUpstream_AsksTheFaultFunctionFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := withFaults(Fault{Status: 500, Every: 2})
		u, d, start := New(o), dialogs()[0], time.Now()
		say := func() int { return post(t, u, d.path, d.body("", "hi")).status }
		require.True(t, u.SetFault("one", func(n int, now time.Time) (Fault, bool) {
			trouble := now.Sub(start) >= time.Second && now.Sub(start) < 2*time.Second
			return Fault{Status: 503, Every: 7, Times: 1}, trouble || n == 1
		}))
		require.Equal(t, []int{503, 500, 200}, []int{say(), say(), say()})
		time.Sleep(time.Second)
		require.Equal(t, []int{503, 503}, []int{say(), say()})
		time.Sleep(time.Second)
		require.Equal(t, []int{500, 200}, []int{say(), say()})
		require.True(t, u.SetFault("one", nil))
		require.Equal(t, []int{500, 200}, []int{say(), say()})
		require.Equal(t, 9, u.Requests("one"))
		require.False(t, u.SetFault("nobody", nil))
	})
}

func TestUpstream_TellsItsObserverOfEveryRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			mu   sync.Mutex
			seen []Record
		)
		o := withFaults(Fault{Status: 503, Times: 1}, Fault{CutAfter: 2, Times: 1}, Fault{Delay: time.Hour, Times: 1})
		o.Latency = time.Second
		o.Observe = func(r Record) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, r)
		}
		u, d, start := New(o), dialogs()[0], time.Now()
		post(t, u, d.path, d.body("", "hi"))
		path, stream := d.streamRequest("hi")
		require.Error(t, do(t, u, request(path, stream)).err)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := u.Transport().RoundTrip(request(d.path, d.body("", "hi")).WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		id := ask(t, u, d.path, d.body("", "hi")).Get("id").Str
		list := request("/v1/models", "")
		list.Method = http.MethodGet
		do(t, u, list)
		stranger := request(d.path, "{}")
		stranger.Header.Set("Authorization", "Bearer nobody")
		do(t, u, stranger)

		synctest.Wait()
		at := start.Add
		require.Len(t, seen, 4)
		require.Equal(t, id, "chatcmpl-"+seen[3].Name)
		names := []string{seen[3].Name, seen[1].Name, seen[3].Name, seen[3].Name}
		for i, want := range []Record{
			{StartedAt: start, EndedAt: at(time.Second), Status: 503, Whole: true},
			{StartedAt: at(time.Second), EndedAt: at(2 * time.Second), Status: 200},
			{StartedAt: at(2 * time.Second), EndedAt: at(7 * time.Second)},
			{StartedAt: at(7 * time.Second), EndedAt: at(8 * time.Second), Status: 200, Whole: true},
		} {
			want.Credential, want.Path, want.Name = "one", d.path, names[i]
			require.Equal(t, want, seen[i])
		}
		require.False(t, slices.Contains(names[2:], seen[1].Name), "another body has another name")
	})
}

package e2e

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers/simulator/inprocess"
)

// The pace is that of a thousand changes a minute under 500 requests a second.
const (
	liveSeconds = 12
	liveChanges = liveSeconds * 1000 / 60
	liveRate    = 500
	liveStreams = 20
)

// changeOf is the i-th change of a configuration: of every kind in turn, to another credential
// each time.
func changeOf(c *config.Config, i int) {
	p := &c.Providers[0]
	round, at := i/7, (i/7)%8 // of ten
	switch i % 7 {
	case 0:
		p.Credentials = append(p.Credentials, config.Credential{ID: fmt.Sprint("added-", round), APIKey: secretOf(fmt.Sprint("added-", round))})
	case 1:
		weight := 1 + round%5
		p.Credentials[at].Weight, p.Credentials[at].Priority = &weight, round%2
	case 2:
		p.Credentials[at].APIKey = secretOf(fmt.Sprint("rotated-", round))
	case 3:
		p.Credentials[at].Disabled = true
	case 4:
		c.Routing.Strategy = [...]config.Strategy{config.Weighted, config.FillFirst, config.LeastLoaded, config.RoundRobin}[round%4]
	case 5:
		p.Credentials[at].Disabled = false
	default:
		p.Credentials = p.Credentials[:len(p.Credentials)-1]
	}
}

// copied returns a configuration that may be changed while c is in use.
func copied(c *config.Config) *config.Config {
	next := *c
	next.Providers = slices.Clone(c.Providers)
	next.Providers[0].Credentials = slices.Clone(c.Providers[0].Credentials)
	return &next
}

// actorsOf lists the living actors of a host's system, but not who waits for answers: those are
// kept to be used again, up to a bound.
func actorsOf(system *actor.ActorSystem) []string {
	var names []string
	for _, bucket := range system.ProcessRegistry.LocalPIDs.LocalPIDs {
		names = append(names, bucket.Keys()...)
	}
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "understudy-ask") })
}

// Whatever changes, and however fast: no request fails, streams go on, and nothing is left of
// it afterwards.
func TestApply_AThousandChangesAMinuteUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(2 * time.Second) })
		host := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return logger(t) }))
		t.Cleanup(host.Shutdown)
		upstream := fake.New(func(req fake.Request) fake.Reply {
			reply := answerTo(req)
			reply.FirstDelay, reply.ChunkDelay = 20*time.Millisecond, liveSeconds*time.Second/time.Duration(max(len(reply.Chunks)-1, 1))
			return reply
		})
		r := start(t, setup{
			bubble: true, ids: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}, adjust: sticky,
			options: []understudy.Option{understudy.WithActorSystem(host), understudy.WithTransport(inprocess.Transport{Handler: upstream})},
		})
		first := r.config()
		r.underChanges(t, first, 0) // so that what is made once is there
		before := r.afterAll(t, host, first)
		r.underChanges(t, first, liveChanges)
		require.ElementsMatch(t, before, r.afterAll(t, host, first))
		snapshot, err := r.gateway.Snapshot(t.Context())
		require.NoError(t, err)
		require.Len(t, snapshot.Credentials, 10)
		require.Zero(t, snapshot.Failures)
		require.Zero(t, snapshot.Overdue)
	})
}

// afterAll goes back to the first configuration, lets all expire that does, and lists the actors.
func (r *rig) afterAll(t *testing.T, host *actor.ActorSystem, first *config.Config) []string {
	t.Helper()
	_, err := r.gateway.Apply(copied(first))
	require.NoError(t, err)
	time.Sleep(3 * time.Hour)
	synctest.Wait()
	return actorsOf(host)
}

// underChanges sends requests at a steady rate and holds streams, while so many changes are
// made one after the other.
func (r *rig) underChanges(t *testing.T, first *config.Config, changes int) {
	t.Helper()
	var all sync.WaitGroup
	d := dialects()[0]
	for i := range liveStreams {
		resp := r.open(r.request(http.MethodPost, d.streamed, d.questionN, "X-Session-ID", fmt.Sprint("stream-", i)))
		all.Go(func() {
			defer resp.Body.Close()
			began := time.Now()
			body, err := io.ReadAll(resp.Body)
			if body, _ := d.withoutKeepalives(string(body)); err != nil || body != d.want(true) {
				t.Errorf("a stream has broken after %v: %v %s", time.Since(began), err, body)
			}
			if time.Since(began) < liveSeconds*time.Second/2 {
				t.Error("it has not lived through the changes")
			}
		})
	}
	all.Go(func() {
		c := copied(first)
		for i := range changes {
			time.Sleep(liveSeconds * time.Second / time.Duration(changes))
			c = copied(c)
			changeOf(c, i)
			if made, err := r.gateway.Apply(c); err != nil || len(made) == 0 && i%7 != 5 && i%7 != 4 {
				t.Errorf("change %d: %v %v", i, made, err)
			}
		}
	})
	for i := range liveRate * liveSeconds {
		req := r.request(http.MethodPost, d.plain, d.question1, "X-Session-ID", fmt.Sprint(i%100))
		all.Go(func() {
			resp, err := r.client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			if got := read(t, resp); got.status != http.StatusOK || string(got.body) != d.want(false) {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
		time.Sleep(time.Second / liveRate)
	}
	all.Wait()
}

package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

func TestPins_ReachTheirMakerWithoutAffinity(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, p *pinRig) {
		t.Helper()
		for range 3 { // each time somebody else
			maker := p.make()
			n := p.upstream.Calls(secretOf(maker))
			before := len(p.served())
			for range 4 {
				require.Equal(t, http.StatusOK, p.refer(maker, n).status)
			}
			require.Equal(t, []string{maker, maker, maker, maker}, p.served()[before:])
		}
		makers := map[string]bool{}
		for _, id := range p.served() {
			makers[id] = true
		}
		require.Len(t, makers, 3)
	}
	eachReference(t, inTurn, nil, check)
	for name, ref := range references() {
		t.Run(name+" over sockets", func(t *testing.T) {
			t.Parallel()
			for _, stream := range []bool{false, true} {
				r := start(t, setup{kinds: []string{ref.kind}, script: made, adjust: inTurn})
				check(t, &pinRig{rig: r, ref: ref, stream: stream})
			}
		})
	}
}

// What a stream names can be referred to as soon as the client knows it, not only at its end.
func TestPins_AreKnownWhileTheStreamStillRuns(t *testing.T) {
	t.Parallel()
	hanging := func(q fake.Request) fake.Reply {
		reply := made(q)
		if q.N == 1 && len(reply.Chunks) > 0 {
			reply.Hang, reply.HangAfter = true, len(reply.Chunks)-1
		}
		return reply
	}
	eachReference(t, inTurn, hanging, func(t *testing.T, p *pinRig) {
		if !p.stream {
			return
		}
		open := p.open(p.request(http.MethodPost, p.ref.target, p.ref.body(p.ref.first, "", true)))
		defer open.Body.Close()
		maker := p.served()[0]
		for range 3 {
			require.Equal(t, http.StatusOK, p.refer(maker, 1).status)
		}
		require.Equal(t, []string{maker, maker, maker, maker}, p.served())
	})
}

func TestPins_AnotherCredentialOfTheAccountStandsIn(t *testing.T) {
	t.Parallel()
	accounts := func(c *config.Config) {
		inTurn(c)
		c.Retry.MaxWait = time.Minute // nobody has to wait
		all := c.Providers[0].Credentials
		all[0].Account, all[1].Account, all[2].Account = "acme", "other", "acme"
	}
	for name, trouble := range map[string]func(*pinRig){
		"maker rests": func(p *pinRig) { p.fail("a", http.StatusTooManyRequests, "Retry-After", "60") },
		"maker fails": func(p *pinRig) { p.fail("a", http.StatusInternalServerError) },
		"maker disabled": func(p *pinRig) {
			p.reconfigure(func(c *config.Config) { c.Providers[0].Credentials[0].Disabled = true })
		},
		"maker removed": func(p *pinRig) {
			p.reconfigure(func(c *config.Config) { c.Providers[0].Credentials = c.Providers[0].Credentials[1:] })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachReference(t, accounts, nil, func(t *testing.T, p *pinRig) {
				for p.make() != "a" { // it comes round
				}
				n := p.upstream.Calls(secretOf("a"))
				trouble(p)
				for range 3 {
					before := len(p.served())
					require.Equal(t, http.StatusOK, p.refer("a", n).status)
					served := p.served()[before:]
					require.Equal(t, "c", served[len(served)-1])
					require.NotContains(t, served, "b")
				}
			})
		})
	}
}

func TestPins_AMakerThatRestsIsWaitedFor(t *testing.T) {
	t.Parallel()
	patient := func(c *config.Config) {
		inTurn(c)
		c.Retry.MaxWait = 5 * time.Second
	}
	eachReference(t, patient, nil, func(t *testing.T, p *pinRig) {
		maker := p.make()
		for range 2 {
			require.Equal(t, http.StatusOK, p.refer(maker, 1).status)
		}
		p.fail(maker, http.StatusTooManyRequests, "Retry-After", "3")
		got := p.refer(maker, 1)
		require.Equal(t, http.StatusTooManyRequests, got.status, "the maker's own answer")
		p.fail(maker, 0)

		before, began := len(p.served()), time.Now()
		require.Equal(t, http.StatusOK, p.refer(maker, 1).status)
		require.Equal(t, []string{maker}, p.served()[before:])
		require.InDelta(t, 3.15, time.Since(began).Seconds(), 0.2)

		p.fail(maker, http.StatusTooManyRequests, "Retry-After", "60")
		p.refer(maker, 1)
		before, began = len(p.served()), time.Now()
		got = p.refer(maker, 1, "X-Request-Id", "too-long")
		require.Equal(t, http.StatusTooManyRequests, got.status)
		require.Less(t, time.Since(began), time.Second, "it would be too long")
		require.Len(t, p.served(), before)
		require.Contains(t, string(got.body), `"model_cooldown"`)
		seconds := gjson.GetBytes(got.body, "error.reset_seconds").Int()
		require.True(t, seconds >= 60 && seconds <= 67, "%d", seconds)
		require.Equal(t, fmt.Sprint(seconds), got.header.Get("Retry-After"))
		record := p.record("too-long")
		require.Zero(t, record.Attempts)
		require.Equal(t, "model_cooldown", record.Err)
	})
}

func TestPins_AMakerThatIsGoneIsNotReplaced(t *testing.T) {
	t.Parallel()
	patient := func(c *config.Config) {
		inTurn(c)
		c.Retry.MaxWait, c.Retry.Rounds = time.Minute, 2
	}
	for name, change := range map[string]func(*config.Provider, int){
		"removed":        func(p *config.Provider, i int) { p.Credentials = append(p.Credentials[:i:i], p.Credentials[i+1:]...) },
		"disabled":       func(p *config.Provider, i int) { p.Credentials[i].Disabled = true },
		"model excluded": func(p *config.Provider, i int) { p.Credentials[i].ExcludeModels = []string{"m"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachReference(t, patient, nil, func(t *testing.T, p *pinRig) {
				maker := p.make()
				p.reconfigure(func(c *config.Config) {
					for i := range c.Providers[0].Credentials {
						if c.Providers[0].Credentials[i].ID == maker {
							change(&c.Providers[0], i)
							return
						}
					}
				})
				began := time.Now()
				p.requireLost(p.refer(maker, 1))
				require.Len(t, p.served(), 1, "nobody was asked")
				require.Zero(t, time.Since(began), "there is nothing to wait for")
			})
		})
	}
}

// A maker that leaves while somebody waits for it has not to be waited for any longer than
// that.
func TestPins_AMakerMayLeaveWhileItIsWaitedFor(t *testing.T) {
	t.Parallel()
	patient := func(c *config.Config) {
		inTurn(c)
		c.Retry.MaxWait = time.Minute
	}
	eachReference(t, patient, nil, func(t *testing.T, p *pinRig) {
		maker := p.make()
		p.fail(maker, http.StatusTooManyRequests, "Retry-After", "30")
		p.refer(maker, 1)
		before := len(p.served())
		began := time.Now()
		lost := make(chan answer)
		go func() { lost <- p.refer(maker, 1) }()
		synctest.Wait() // for it to wait
		p.reconfigure(func(c *config.Config) { c.Providers[0].Credentials = without(c.Providers[0].Credentials, maker) })
		got := <-lost
		require.Equal(t, http.StatusNotFound, got.status, "%s", got.body)
		require.Equal(t, p.ref.code, gjson.GetBytes(got.body, p.ref.path).String())
		require.Less(t, time.Since(began), 35*time.Second)
		require.Len(t, p.served(), before)
	})
}

func TestPins_AFailureOfTheMakerIsNobodyElsesBusiness(t *testing.T) {
	t.Parallel()
	for _, status := range []int{500, 503, 429, 401, 403, 402} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			eachReference(t, inTurn, nil, func(t *testing.T, p *pinRig) {
				maker := p.make()
				p.fail(maker, status)
				got := p.refer(maker, 1)
				require.Equal(t, status, got.status)
				require.Equal(t, []string{maker, maker}, p.served())
			})
		})
	}
}

func TestPins_FurtherRoundsAreTheMakersToo(t *testing.T) {
	t.Parallel()
	rounds := func(c *config.Config) {
		inTurn(c)
		c.Retry.Rounds, c.Retry.MaxWait = 2, 10*time.Second
	}
	eachReference(t, rounds, nil, func(t *testing.T, p *pinRig) {
		maker := p.make()
		p.fail(maker, http.StatusInternalServerError)
		require.Equal(t, http.StatusInternalServerError, p.refer(maker, 1).status)
		require.Equal(t, []string{maker, maker, maker, maker}, p.served())
	})
}

// A fallback is another model, and may be served somewhere else: that is no place for a
// request whose state lies at its maker's.
func TestPins_FallbacksAreNoMakers(t *testing.T) {
	t.Parallel()
	fallback := func(c *config.Config) {
		inTurn(c)
		other := c.Providers[0]
		other.Name, other.Models = "other", []config.Model{{Name: "m2"}}
		other.Credentials = []config.Credential{{ID: "x", APIKey: secretOf("x")}}
		c.Providers[0].Models[0].Fallback = []string{"m2"}
		c.Providers = append(c.Providers, other)
	}
	eachReference(t, fallback, nil, func(t *testing.T, p *pinRig) {
		maker := p.make()
		p.fail(maker, http.StatusInternalServerError)
		require.Equal(t, http.StatusInternalServerError, p.refer(maker, 1).status)
		require.Equal(t, http.StatusTooManyRequests, p.refer(maker, 1).status, "it rests now")
		require.Equal(t, []string{maker, maker}, p.served())
	})
}

// unknownThing is what upstreams say of things that they have not made.
const unknownThing = `{"error":{"message":"Not found.","type":"invalid_request_error","code":"previous_response_not_found","details":{"error_code":"thread_not_found"}}}`

func TestPins_WhatNobodyKnowsIsTheUpstreamsToJudge(t *testing.T) {
	t.Parallel()
	eachReference(t, inTurn, func(q fake.Request) fake.Reply {
		if !bytes.Contains(q.Body, []byte("more")) {
			return made(q)
		}
		return fake.Reply{Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(unknownThing)}
	}, func(t *testing.T, p *pinRig) {
		got := p.refer("nobody", 7)
		require.Equal(t, http.StatusNotFound, got.status)
		require.Len(t, p.served(), 1, "no other credential can know better")
		require.Equal(t, unknownThing, string(got.body))
		require.Equal(t, "active", p.view(p.served()[0]).Status)
	})
}

func twoKeys(c *config.Config) {
	inTurn(c)
	c.APIKeys = append(c.APIKeys, config.APIKey{Key: clientMark + "two", Name: "two"})
}

func TestPins_AreTheirClientsOwn(t *testing.T) {
	t.Parallel()
	eachReference(t, twoKeys, nil, func(t *testing.T, p *pinRig) {
		maker := p.make()
		p.requireLost(p.refer(maker, 1, "Authorization", "Bearer "+clientMark+"two"))
		require.Equal(t, http.StatusOK, p.refer(maker, 1).status)
	})
}

// Whoever gets an upstream to say an id again does not get what is behind it.
func TestPins_CannotBeTakenOver(t *testing.T) {
	t.Parallel()
	same := func(q fake.Request) fake.Reply { // everybody makes the same names
		q.Key, q.N = secretOf("x"), 1
		return made(q)
	}
	eachReference(t, twoKeys, same, func(t *testing.T, p *pinRig) {
		maker := p.make()
		two := []string{"Authorization", "Bearer " + clientMark + "two"}
		require.Equal(t, http.StatusOK, p.post(p.ref.target, p.ref.body(p.ref.first, "", p.stream), two...).status)
		require.Equal(t, http.StatusNotFound, p.refer("x", 1, two...).status)
		require.Equal(t, http.StatusOK, p.refer("x", 1).status)
		served := p.served()
		require.Equal(t, maker, served[len(served)-1])
		require.Len(t, served, 3)
	})
}

func TestPins_OutrankTheSession(t *testing.T) {
	t.Parallel()
	eachReference(t, sticky, nil, func(t *testing.T, p *pinRig) {
		maker := p.make()
		var other string
		for i := 0; other == "" || other == maker; i++ {
			got := p.post(p.ref.target, strings.Replace(p.ref.first, "hi", fmt.Sprint("hello ", i), 1), "X-Session-ID", fmt.Sprint(i))
			require.Equal(t, http.StatusOK, got.status)
			served := p.served()
			if other = served[len(served)-1]; other != maker {
				require.Equal(t, http.StatusOK, p.refer(maker, 1, "X-Session-ID", fmt.Sprint(i)).status)
				served = p.served()
				require.Equal(t, maker, served[len(served)-1])
			}
		}
	})
}

func TestPins_ABusyMakerIsWaitedFor(t *testing.T) {
	t.Parallel()
	busy := func(c *config.Config) {
		inTurn(c)
		c.Retry.MaxWait = time.Minute
		for i := range c.Providers[0].Credentials {
			c.Providers[0].Credentials[i].MaxConcurrency = 1
		}
	}
	script := func(q fake.Request) fake.Reply {
		reply := made(q)
		reply.FirstDelay = 10 * time.Second
		return reply
	}
	eachReference(t, busy, script, func(t *testing.T, p *pinRig) {
		maker := p.make()
		began := time.Now()
		answers := make(chan answer)
		for range 3 {
			go func() { answers <- p.refer(maker, 1) }()
		}
		for range 3 {
			require.Equal(t, http.StatusOK, (<-answers).status)
		}
		require.InDelta(t, 30, time.Since(began).Seconds(), 1)
		require.Equal(t, []string{maker, maker, maker, maker}, p.served())
	})
}

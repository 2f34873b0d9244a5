package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	// healthyCredentials serve beside the one in trouble.
	healthyCredentials = 199
	// healthyThink is how long the upstream takes over a good answer: real ones take seconds.
	healthyThink = 50 * time.Millisecond
	// healthyPerSecond is how many requests come to the healthy ones, on their own clock.
	healthyPerSecond = 200
	// phase is how long one measurement lasts.
	phase = 5 * time.Second
	// troubleGives is how long a client in trouble waits for an answer.
	troubleGives = phase
)

// supervisionRow is what the requests of healthy credentials notice of one in trouble.
type supervisionRow struct {
	Trouble  string `json:"trouble"`
	Requests int    `json:"requests"` // with trouble beside them
	Failed   int    `json:"failed"`   // of all, with trouble and without
	// Milliseconds that requests took, over all rounds.
	CalmP50    float64 `json:"calm_p50"`
	CalmP99    float64 `json:"calm_p99"`
	TroubleP50 float64 `json:"trouble_p50"`
	TroubleP99 float64 `json:"trouble_p99"`
	// P99Ratio is with trouble by without, round by round.
	P99Ratio spread `json:"p99_ratio"`
	// PastP99Ratio is the same with the poisoned answers sent past the gateway, straight to their
	// client: what the machine itself makes of them. Zero if they are none.
	PastP99Ratio spread `json:"past_p99_ratio"`
	// PeakBytes is the most that the gateway was seen to have in memory with trouble, beyond
	// the most without.
	PeakBytes int64 `json:"peak_bytes"`
}

// benchSupervision measures requests over 199 credentials with and without trouble in one more.
func benchSupervision(ctx context.Context, s settings, out *report) (err error) {
	for _, trouble := range allTroubles() {
		if len(s.loads) > 0 && !slices.Contains(s.loads, trouble[len("trouble-"):]) {
			continue
		}
		row, err := measureTrouble(ctx, s, trouble)
		if err != nil {
			return fmt.Errorf("%s: %w", trouble, err)
		}
		out.Supervision = append(out.Supervision, row)
		if row.Failed > 0 {
			return fmt.Errorf("%s: %d requests of others failed", trouble, row.Failed)
		}
	}
	return nil
}

// measureTrouble alternates calm, trouble and, if it is poison, the same past the gateway, in a gateway of its own.
func measureTrouble(ctx context.Context, s settings, trouble string) (row supervisionRow, err error) {
	upstream, err := startRole(ctx, roleUpstream, "-think", healthyThink.String())
	if err != nil {
		return row, err
	}
	defer stopping(upstream, &err)
	troubled, err := startRole(ctx, roleUpstream)
	if err != nil {
		return row, err
	}
	defer stopping(troubled, &err)
	gateway, err := startRole(ctx, roleTroubled, "-upstream", "http://"+upstream.address, "-troubled", "http://"+troubled.address, "-credentials", strconv.Itoa(healthyCredentials))
	if err != nil {
		return row, err
	}
	defer stopping(gateway, &err)
	row.Trouble = trouble
	calm, busy, past := &phases{}, &phases{trouble: trouble, at: gateway.address}, &phases{trouble: trouble, at: troubled.address}
	subjects := []*phases{calm, busy}
	if isPoison(trouble) {
		subjects = append(subjects, past)
	}
	if err := (&phases{}).measure(ctx, gateway); err != nil { // warm-up
		return row, err
	}
	for round := range s.rounds {
		for i := range subjects {
			if err := subjects[(i+round)%len(subjects)].measure(ctx, gateway); err != nil {
				return row, err
			}
		}
	}
	if s.profile != "" {
		if err := profileTrouble(ctx, s, gateway, busy); err != nil {
			return row, err
		}
	}
	row.Requests, row.Failed = len(busy.took), calm.failed+busy.failed+past.failed
	row.CalmP50, row.CalmP99 = percentile(calm.took, 0.5), percentile(calm.took, 0.99)
	row.TroubleP50, row.TroubleP99 = percentile(busy.took, 0.5), percentile(busy.took, 0.99)
	row.P99Ratio = spreadOf(ratios(busy.p99, calm.p99))
	row.PastP99Ratio = spreadOf(ratios(past.p99, calm.p99))
	row.PeakBytes = busy.peak - calm.peak
	return row, nil
}

// isPoison reports whether a trouble is about many bytes.
func isPoison(trouble string) bool {
	return slices.Contains([]string{troubleJSON, troubleSSE, troubleHeaders}, trouble)
}

// phases are all the times at which the same is measured.
type phases struct {
	trouble string // beside the requests that are measured; empty = none
	at      string // the address that the trouble is asked of

	took   []float64 // milliseconds of each request
	p99    []float64 // of each phase
	failed int
	peak   int64 // bytes that the gateway was seen to have at most
}

// profileTrouble writes where the gateway's time and memory go beside a trouble.
func profileTrouble(ctx context.Context, s settings, gateway *process, busy *phases) error {
	if _, err := gateway.fetch(ctx, pathProfile); err != nil {
		return err
	}
	err := (&phases{trouble: busy.trouble, at: busy.at}).measure(ctx, gateway)
	cpu, stopErr := gateway.fetch(ctx, pathProfileDone)
	if err := errors.Join(err, stopErr); err != nil {
		return err
	}
	return errors.Join(writeProfile(s, busy.trouble+".cpu", cpu), writeAllocations(ctx, s, busy.trouble, gateway))
}

// measure sends requests to healthy credentials for a while, beside the trouble.
func (p *phases) measure(ctx context.Context, gateway *process) (err error) {
	if p.trouble != "" {
		maker, err := startRole(ctx, roleMaker, "-upstream", p.at, "-trouble", p.trouble)
		if err != nil {
			return err
		}
		defer stopping(maker, &err)
	}
	watched, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	id := strconv.Itoa(gateway.command.Process.Pid)
	beside.Go(func() {
		for pause(watched, 20*time.Millisecond) == nil {
			p.peak = max(p.peak, residentBytesOf(id))
		}
	})
	took, failures := pacedLoad(ctx, gateway.address, healthyPerSecond, phase)
	cancel()
	beside.Wait()
	p.took, p.p99 = append(p.took, took...), append(p.p99, percentile(took, 0.99))
	p.failed += len(failures)
	return ctx.Err()
}

// pacedLoad sends so many requests a second for d, whenever their time has come, and returns
// how many milliseconds after that time each was answered.
func pacedLoad(ctx context.Context, address string, perSecond int, d time.Duration) (took []float64, failures []error) {
	n := int(d.Seconds() * float64(perSecond))
	requests, want := requestsOf(modelChat, 300), chatAnswer()
	connections := &connectionPool{address: address}
	defer connections.close()
	var mu sync.Mutex
	var all sync.WaitGroup
	began := time.Now()
	for i := range n {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		if pause(ctx, time.Until(due)) != nil {
			break
		}
		all.Go(func() {
			err := connections.do(ctx, requests[i%len(requests)], want)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, err)
				return
			}
			took = append(took, float64(time.Since(due).Microseconds())/1000)
		})
	}
	all.Wait()
	return took, failures
}

// connectionPool keeps connections for requests that come on their own clock.
type connectionPool struct {
	address string

	mu   sync.Mutex
	idle []*connection
}

func (p *connectionPool) do(ctx context.Context, request, want []byte) error {
	p.mu.Lock()
	var c *connection
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if c == nil {
		var err error
		if c, err = dial(ctx, p.address); err != nil {
			return err
		}
	}
	if err := c.do(request, want, exchangeTimeout); err != nil {
		c.close()
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
	return nil
}

func (p *connectionPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		c.close()
	}
}

// troubleClients ask the one in trouble, at the same time if there are several.
const troubleClients = 1

// makeTrouble has clients ask the one in trouble until ctx ends, whatever they get.
func makeTrouble(ctx context.Context, address, trouble string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	fetch := func(method, path string, body io.Reader) {
		ctx, cancel := context.WithTimeout(ctx, troubleGives)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, body)
		if err != nil {
			return
		}
		request.Header.Set("Authorization", "Bearer "+clientKey)
		response, err := client.Do(request)
		if err != nil {
			return // that is the trouble
		}
		_, err = io.Copy(io.Discard, response.Body)
		_ = errors.Join(err, response.Body.Close())
	}
	var all sync.WaitGroup
	for i := range troubleClients {
		all.Go(func() {
			for pause(ctx, 50*time.Millisecond) == nil {
				fetch(http.MethodPost, "/v1/chat/completions", bodyOf(trouble, i))
				if trouble == troublePanic {
					fetch(http.MethodGet, pathCrash, http.NoBody)
				}
			}
		})
	}
	all.Wait()
}

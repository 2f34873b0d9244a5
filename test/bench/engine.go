package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// engineRow is what one acquire, first byte and report cost, by one caller at a time.
type engineRow struct {
	Credentials int  `json:"credentials"`
	Resting     int  `json:"resting"`  // of those
	Sessions    int  `json:"sessions"` // live ones, which the leases are for
	Recorded    bool `json:"recorded"` // each lease leaves a decision record
	// All per lease. Wall time ends when the caller has reported, CPU when every actor has
	// done its part.
	WallNanoseconds spread `json:"wall_nanoseconds"`
	CPUNanoseconds  spread `json:"cpu_nanoseconds"`
	CPURatio        spread `json:"cpu_ratio"` // to the first row's, round by round
	Allocations     spread `json:"allocations"`
	AllocBytes      spread `json:"alloc_bytes"`
}

// engineCase is an engine to be measured and what has been measured of it, round by round.
type engineCase struct {
	row                           engineRow
	engine                        *engine
	wall, cpu, allocs, allocBytes []float64
}

func engineCases(sessions int) []*engineCase {
	row := func(credentials, resting, sessions int, recorded bool) *engineCase {
		return &engineCase{row: engineRow{Credentials: credentials, Resting: resting, Sessions: sessions, Recorded: recorded}}
	}
	return []*engineCase{
		row(10, 0, 0, true), row(10, 0, 0, false), row(1000, 0, 0, true), row(10000, 0, 0, true), row(10000, 9990, 0, true),
		row(10, 0, sessions, true), row(1000, 0, sessions, true), row(10000, 0, sessions, true),
	}
}

// benchEngine leases from engines of different sizes, all of them in each round, so that the
// machine's moods fall on all alike.
func benchEngine(ctx context.Context, s settings, out *report) error {
	cases := engineCases(s.sessions)
	defer func() {
		for _, c := range cases {
			if c.engine != nil {
				c.engine.stop()
			}
		}
	}()
	for _, c := range cases {
		if err := c.start(ctx); err != nil {
			return fmt.Errorf("%d credentials, %d sessions: %w", c.row.Credentials, c.row.Sessions, err)
		}
	}
	for range s.rounds {
		for _, c := range cases {
			if err := c.measure(ctx, s.operations); err != nil {
				return fmt.Errorf("%d credentials, %d sessions: %w", c.row.Credentials, c.row.Sessions, err)
			}
		}
	}
	for _, c := range cases {
		out.Engine = append(out.Engine, c.result(cases[0]))
	}
	return nil
}

func (c *engineCase) start(ctx context.Context) (err error) {
	if c.engine, err = startEngine(ctx, c.row.Credentials); err != nil {
		return err
	}
	// Every credential's first lease spawns an actor; every session's binds it.
	if err := c.engine.lease(ctx, max(c.row.Credentials, c.row.Sessions), c.row.Sessions, false); err != nil {
		return err
	}
	if err := c.engine.rest(ctx, c.row.Resting); err != nil {
		return err
	}
	return c.engine.settle(ctx, c.row.Sessions)
}

func (c *engineCase) measure(ctx context.Context, operations int) error {
	runtime.GC() // what others have left behind is not this one's
	before, err := ownUsage()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := c.engine.lease(ctx, operations, c.row.Sessions, c.row.Recorded); err != nil {
		return err
	}
	took := time.Since(begin)
	if err := pause(ctx, settleEvery); err != nil { // reports are worked off behind the caller's back
		return err
	}
	after, err := ownUsage()
	if err != nil {
		return err
	}
	if err := c.engine.settle(ctx, c.row.Sessions); err != nil {
		return err
	}
	used, leases := after.since(before), float64(operations)
	c.wall = append(c.wall, float64(took.Nanoseconds())/leases)
	c.cpu = append(c.cpu, float64(used.CPU.Nanoseconds())/leases)
	c.allocs = append(c.allocs, float64(used.Allocations)/leases)
	c.allocBytes = append(c.allocBytes, float64(used.AllocBytes)/leases)
	return nil
}

func (c *engineCase) result(first *engineCase) engineRow {
	ratios := make([]float64, len(c.cpu))
	for i := range c.cpu {
		ratios[i] = c.cpu[i] / first.cpu[i]
	}
	row := c.row
	row.WallNanoseconds, row.CPUNanoseconds, row.CPURatio = spreadOf(c.wall), spreadOf(c.cpu), spreadOf(ratios)
	row.Allocations, row.AllocBytes = spreadOf(c.allocs), spreadOf(c.allocBytes)
	return row
}

// engine is a running engine without a gateway around it.
type engine struct {
	*actors.System
	leased uint64
}

func startEngine(ctx context.Context, credentials int) (*engine, error) {
	upstream := &providers.Upstream{
		Name: "upstream", Kind: config.KindOpenAICompatible, Base: &url.URL{Scheme: "http", Host: "upstream.test"},
		Formats: []providers.Format{providers.OpenAIChat},
		Models:  []providers.Model{{Name: modelChat}},
	}
	defaults := config.Default()
	defaults.Routing.SessionAffinity = true
	plan := actors.Plan{Settings: actors.Settings{Routing: defaults.Routing, Cooldown: defaults.Cooldown}}
	for i := range credentials {
		id := fmt.Sprintf("credential-%d", i+1)
		plan.Credentials = append(plan.Credentials, &providers.Credential{
			ID: providers.CredentialID(id), Upstream: upstream, Secret: providers.NewSecret(id), Weight: 1,
		})
	}
	system, err := actors.Start(ctx, actors.Options{Logger: slog.New(slog.DiscardHandler)}, plan)
	if err != nil {
		return nil, err
	}
	return &engine{System: system}, nil
}

// lease acquires and reports n times. With sessions it goes through all of them, in no
// order that a cache would like.
func (e *engine) lease(ctx context.Context, n, sessions int, recorded bool) error {
	const stride = 7919 // a prime, so that all are met
	for i := range n {
		request := actors.Acquire{Model: modelChat, Format: providers.OpenAIChat}
		if sessions > 0 {
			request.Session.Primary = sessionKey(i * stride % sessions)
		}
		l, err := e.Acquire(ctx, request)
		if err != nil {
			return err
		}
		e.FirstByte(l)
		e.Report(l, providers.Outcome{Kind: providers.Success})
		if recorded {
			e.Record(recordOf(l))
		}
	}
	e.leased += uint64(n)
	return nil
}

// recordOf is the record of a request that one lease served, as the data plane makes it.
func recordOf(l actors.Lease) *actors.Record {
	return &actors.Record{
		RequestID: "request", At: time.Now(), FormatIn: providers.OpenAIChat, FormatOut: providers.OpenAIChat,
		Operation: providers.Generate, Asked: modelChat, Used: l.Route(), Strategy: l.Field.Strategy,
		Status: 200, Outcome: providers.Success, Attempts: []actors.AttemptRecord{{
			Credential: l.Credential.ID, Provider: l.Credential.Upstream.Name, Model: l.Model, Route: l.Route(),
			Why: l.Why, Field: l.Field, Outcome: providers.Success, Status: 200,
		}},
	}
}

// rest lets n credentials rest for longer than anything here takes.
func (e *engine) rest(ctx context.Context, n int) error {
	for range n {
		l, err := e.Acquire(ctx, actors.Acquire{Model: modelChat, Format: providers.OpenAIChat})
		if err != nil {
			return err
		}
		e.Report(l, providers.Outcome{Kind: providers.RateLimited, RetryAfter: 29 * time.Minute})
	}
	e.leased += uint64(n)
	return nil
}

func sessionKey(i int) session.Key {
	var k session.Key
	binary.BigEndian.PutUint64(k[:], uint64(i)+1)
	return k
}

const (
	settleTimeout = 30 * time.Second
	// settleEvery is far more than an engine needs for what one caller has reported.
	settleEvery = 20 * time.Millisecond
)

// settle waits until the engine has worked off all that was reported, and so checks that it
// has lost nothing.
func (e *engine) settle(ctx context.Context, sessions int) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	var last actors.Snapshot
	for last.Attempts != e.leased || last.Sessions != sessions {
		if err := pause(ctx, settleEvery); err != nil {
			return fmt.Errorf("%d of %d leases and %d of %d sessions arrived: %w",
				last.Attempts, e.leased, last.Sessions, sessions, err)
		}
		var err error
		if last, err = e.Snapshot(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), endGrace)
	defer cancel()
	_ = e.Stop(ctx) // nothing is measured after it
}

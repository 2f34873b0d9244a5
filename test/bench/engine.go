package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// engineRow is what one acquire, first byte and report cost, by one caller at a time.
type engineRow struct {
	Credentials int `json:"credentials"`
	Sessions    int `json:"sessions"` // live ones, which the leases are for
	// All per lease. Wall time ends when the caller has reported, CPU when every actor has
	// done its part.
	WallNanoseconds spread `json:"wall_nanoseconds"`
	CPUNanoseconds  spread `json:"cpu_nanoseconds"`
	Allocations     spread `json:"allocations"`
	AllocBytes      spread `json:"alloc_bytes"`
}

// benchEngine leases from engines of different sizes.
func benchEngine(ctx context.Context, s settings, out *report) error {
	for _, sessions := range []int{0, s.sessions} {
		for _, credentials := range []int{10, 1000, 10000} {
			row, err := engineCost(ctx, s, credentials, sessions)
			if err != nil {
				return fmt.Errorf("%d credentials, %d sessions: %w", credentials, sessions, err)
			}
			out.Engine = append(out.Engine, row)
		}
	}
	return nil
}

func engineCost(ctx context.Context, s settings, credentials, sessions int) (engineRow, error) {
	e, err := startEngine(ctx, credentials)
	if err != nil {
		return engineRow{}, err
	}
	defer e.stop()
	// Every credential's first lease spawns an actor; every session's binds it.
	if err := e.lease(ctx, max(credentials, sessions), sessions); err != nil {
		return engineRow{}, err
	}
	if err := e.settle(ctx, sessions); err != nil {
		return engineRow{}, err
	}
	var wall, cpu, allocations, allocBytes []float64
	for range s.rounds {
		before, err := ownUsage()
		if err != nil {
			return engineRow{}, err
		}
		begin := time.Now()
		if err := e.lease(ctx, s.operations, sessions); err != nil {
			return engineRow{}, err
		}
		took := time.Since(begin)
		if err := pause(ctx, settleEvery); err != nil { // reports are worked off behind the caller's back
			return engineRow{}, err
		}
		after, err := ownUsage()
		if err != nil {
			return engineRow{}, err
		}
		if err := e.settle(ctx, sessions); err != nil {
			return engineRow{}, err
		}
		used, leases := after.since(before), float64(s.operations)
		wall = append(wall, float64(took.Nanoseconds())/leases)
		cpu = append(cpu, float64(used.CPU.Nanoseconds())/leases)
		allocations = append(allocations, float64(used.Allocations)/leases)
		allocBytes = append(allocBytes, float64(used.AllocBytes)/leases)
	}
	return engineRow{
		Credentials: credentials, Sessions: sessions,
		WallNanoseconds: spreadOf(wall), CPUNanoseconds: spreadOf(cpu),
		Allocations: spreadOf(allocations), AllocBytes: spreadOf(allocBytes),
	}, nil
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
func (e *engine) lease(ctx context.Context, n, sessions int) error {
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

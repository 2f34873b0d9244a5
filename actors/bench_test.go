package actors

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// BenchmarkAcquireReport is one lease, acquired and reported by one caller, in engines of
// different sizes. With sessions, each lease is for one of those that are bound.
func BenchmarkAcquireReport(b *testing.B) {
	for _, sessions := range []int{0, 10000} {
		for _, credentials := range []int{10, 1000, 10000} {
			b.Run(fmt.Sprintf("credentials=%d/sessions=%d", credentials, sessions), func(b *testing.B) {
				s := benchmarkSystem(b, credentials)
				leaseInTurn(b, s, max(credentials, sessions), sessions) // spawns and binds
				b.ReportAllocs()
				b.ResetTimer()
				leaseInTurn(b, s, b.N, sessions)
			})
		}
	}
}

func benchmarkSystem(b *testing.B, credentials int) *System {
	plan := testPlan(0)
	upstream := testUpstream("up", "m")
	for i := range credentials {
		plan.Credentials = append(plan.Credentials, testCredential(upstream, fmt.Sprintf("c%d", i)))
	}
	s, err := Start(b.Context(), Options{Logger: discard()}, plan)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Stop(context.Background())) })
	return s
}

func leaseInTurn(b *testing.B, s *System, n, sessions int) {
	for i := range n {
		a := chat("m")
		if sessions > 0 {
			a.Session.Primary = numbered(i % sessions)
		}
		l, err := s.Acquire(b.Context(), a)
		if err != nil {
			b.Fatal(err)
		}
		s.FirstByte(l)
		s.Report(l, providers.Outcome{Kind: providers.Success})
	}
}

func numbered(i int) session.Key {
	var k session.Key
	binary.BigEndian.PutUint64(k[:], uint64(i)+1)
	return k
}

// BenchmarkAcquireReport_MostResting is one lease among 10,000 credentials of which all but
// ten rest.
func BenchmarkAcquireReport_MostResting(b *testing.B) {
	const credentials = 10000
	s := benchmarkSystem(b, credentials)
	leaseInTurn(b, s, credentials, 0)
	for range credentials - 10 {
		l, err := s.Acquire(b.Context(), chat("m"))
		require.NoError(b, err)
		s.Report(l, providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Hour})
	}
	b.ReportAllocs()
	b.ResetTimer()
	leaseInTurn(b, s, b.N, 0)
}

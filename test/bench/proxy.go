package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// streamChunks is how many chunks a stream of the proxy bench has.
const streamChunks = 200

// proxyRow is one load through both subjects.
type proxyRow struct {
	Load    string  `json:"load"`
	Proxy   relayed `json:"proxy"`
	Gateway relayed `json:"gateway"`
	// CPURatio is gateway by proxy, round by round.
	CPURatio spread `json:"cpu_ratio"`
}

// relayed is what one subject needed for a load, over all rounds.
type relayed struct {
	RequestsPerSecond spread `json:"requests_per_second"`
	// All per request.
	CPUMicroseconds spread `json:"cpu_microseconds"`
	Allocations     spread `json:"allocations"`
	AllocBytes      spread `json:"alloc_bytes"`
}

// benchProxy relays every load through the bare proxy and the gateway, in turn.
func benchProxy(ctx context.Context, s settings, out *report) (err error) {
	loads, err := selectLoads(allLoads(streamChunks), s.loads)
	if err != nil {
		return err
	}
	upstream, err := startRole(ctx, roleUpstream, "-chunks", strconv.Itoa(streamChunks), "-pause", s.chunkPause.String())
	if err != nil {
		return err
	}
	defer stopping(upstream, &err)
	proxy, err := startRole(ctx, roleProxy, "-upstream", "http://"+upstream.address)
	if err != nil {
		return err
	}
	defer stopping(proxy, &err)
	gateway, err := startRole(ctx, roleGateway, "-upstream", "http://"+upstream.address)
	if err != nil {
		return err
	}
	defer stopping(gateway, &err)
	for _, l := range loads {
		row, err := compare(ctx, s, l, proxy, gateway)
		if err != nil {
			return err
		}
		out.Proxy = append(out.Proxy, row)
		if s.profile != "" {
			if err := writeProfiles(ctx, s, l, gateway); err != nil {
				return err
			}
		}
	}
	return nil
}

// stopping ends a role and adds what went wrong to err. It is deferred.
func stopping(p *process, err *error) { *err = errors.Join(*err, p.stop()) }

// compare drives one load through both subjects. Which one goes first changes from round to
// round, so that neither profits from what the machine is doing meanwhile.
func compare(ctx context.Context, s settings, l load, proxy, gateway *process) (proxyRow, error) {
	n := max(s.requests/l.share, 1)
	subjects := []*process{proxy, gateway}
	for _, p := range subjects {
		if _, err := drive(ctx, p.address, l, max(n/4, len(l.requests)), s.connections); err != nil {
			return proxyRow{}, fmt.Errorf("warm up %s: %w", p.role, err)
		}
	}
	figures := map[*process]*rounds{proxy: {}, gateway: {}}
	for round := range s.rounds {
		for i := range subjects {
			p := subjects[(i+round)%len(subjects)]
			if err := figures[p].measure(ctx, p, l, n, s.connections); err != nil {
				return proxyRow{}, fmt.Errorf("through the %s: %w", p.role, err)
			}
		}
	}
	return proxyRow{
		Load:     l.title,
		Proxy:    figures[proxy].sum(),
		Gateway:  figures[gateway].sum(),
		CPURatio: spreadOf(ratios(figures[gateway].cpu, figures[proxy].cpu)),
	}, nil
}

// rounds collects one subject's figures, one element a round.
type rounds struct{ perSecond, cpu, allocations, allocBytes []float64 }

func (r *rounds) measure(ctx context.Context, p *process, l load, n, connections int) error {
	before, err := p.usage(ctx)
	if err != nil {
		return err
	}
	took, err := drive(ctx, p.address, l, n, connections)
	if err != nil {
		return err
	}
	after, err := p.usage(ctx)
	if err != nil {
		return err
	}
	used, requests := after.since(before), float64(n)
	r.perSecond = append(r.perSecond, requests/took.Seconds())
	r.cpu = append(r.cpu, float64(used.CPU.Microseconds())/requests)
	r.allocations = append(r.allocations, float64(used.Allocations)/requests)
	r.allocBytes = append(r.allocBytes, float64(used.AllocBytes)/requests)
	return nil
}

func (r *rounds) sum() relayed {
	return relayed{
		RequestsPerSecond: spreadOf(r.perSecond),
		CPUMicroseconds:   spreadOf(r.cpu),
		Allocations:       spreadOf(r.allocations),
		AllocBytes:        spreadOf(r.allocBytes),
	}
}

// writeProfiles drives a load once more and writes where the gateway's time and memory went.
func writeProfiles(ctx context.Context, s settings, l load, gateway *process) error {
	if _, err := gateway.fetch(ctx, pathProfile); err != nil {
		return err
	}
	_, err := drive(ctx, gateway.address, l, max(s.requests/l.share, 1)*4, s.connections)
	cpu, stopErr := gateway.fetch(ctx, pathProfileDone)
	if err := errors.Join(err, stopErr); err != nil {
		return err
	}
	return errors.Join(writeProfile(s, l.name+".cpu", cpu), writeAllocations(ctx, s, l.name, gateway))
}

// writeAllocations writes what a process has allocated since it began, and what of that is
// still in use.
func writeAllocations(ctx context.Context, s settings, name string, p *process) error {
	allocations, err := p.fetch(ctx, pathAllocations)
	if err != nil {
		return err
	}
	return writeProfile(s, name+".allocs", allocations)
}

func writeProfile(s settings, name string, profile []byte) error {
	if err := os.MkdirAll(s.profile, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.profile, name+".pprof"), profile, 0o600)
}

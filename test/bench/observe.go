package main

import (
	"context"
	"strconv"
)

// observeRow is one load through the gateway, with nobody and with everybody looking on.
type observeRow struct {
	Load     string  `json:"load"`
	Quiet    relayed `json:"quiet"`    // no access log, no metrics, no records
	Observed relayed `json:"observed"` // all of them
	// CPURatio is observed by quiet, round by round.
	CPURatio spread `json:"cpu_ratio"`
}

// benchObserve relays every load through two gateways in turn, of which one tells nobody of it.
func benchObserve(ctx context.Context, s settings, out *report) (err error) {
	loads, err := selectLoads(allLoads(streamChunks), s.loads)
	if err != nil {
		return err
	}
	upstream, err := startRole(ctx, roleUpstream, "-chunks", strconv.Itoa(streamChunks), "-pause", s.chunkPause.String())
	if err != nil {
		return err
	}
	defer stopping(upstream, &err)
	quiet, err := startRole(ctx, roleGateway, "-quiet", "-upstream", "http://"+upstream.address)
	if err != nil {
		return err
	}
	defer stopping(quiet, &err)
	observed, err := startRole(ctx, roleGateway, "-upstream", "http://"+upstream.address)
	if err != nil {
		return err
	}
	defer stopping(observed, &err)
	for _, l := range loads {
		row, err := compare(ctx, s, l, quiet, observed)
		if err != nil {
			return err
		}
		out.Observe = append(out.Observe, observeRow{Load: l.title, Quiet: row.Proxy, Observed: row.Gateway, CPURatio: row.CPURatio})
	}
	return nil
}

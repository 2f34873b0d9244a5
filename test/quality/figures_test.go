package quality

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/understudyhq/understudy/providers/simulator"
)

// figures are what a run is judged by.
type figures struct {
	Scenario string `json:"scenario"`
	Source   string `json:"source"`
	// Requests are those of agents, Served of them got a whole answer, Told an error event
	// in the midst of one.
	Requests int `json:"requests"`
	Served   int `json:"served"`
	Told     int `json:"told"`
	// Cache is the part of the prompt tokens that a cache could have known, which one did
	// know; turns after the first.
	Cache float64 `json:"cache"`
	// Hops are changes of the credential that served, per session.
	Hops float64 `json:"hops"`
	// Split counts sessions whose first requests went to different credentials.
	Split int `json:"split"`
	// Calls are the gateway's at the upstream, Wasted those without a whole answer.
	Calls  int `json:"calls"`
	Wasted int `json:"wasted"`
	// Resting counts calls to a credential that was known to rest.
	Resting int `json:"resting"`
	// Jain is the fairness of what each credential served; 1 = all the same.
	Jain float64 `json:"jain"`

	failures []string // of requests that were not served, a few
}

func (r *run) figures(sc scenario, s source) figures {
	f := figures{Scenario: sc.name, Source: s.name, Requests: len(r.requests), Calls: len(r.calls)}
	var found, best int64
	for _, q := range r.requests {
		switch q.answer.ending {
		case served:
			f.Served++
			found, best = found+min(q.answer.usage.CachedTokens, q.best), best+q.best
			continue
		case told:
			f.Told++
		}
		if len(f.failures) < 3 {
			f.failures = append(f.failures, string(q.answer.ending)+": "+q.answer.detail[:min(300, len(q.answer.detail))])
		}
	}
	f.Cache = float64(found) / float64(max(best, 1))
	f.Hops, f.Split = r.hops()
	by := r.byCredential()
	var counts []int
	for id := range credentials() {
		whole := 0
		for _, c := range by[id] {
			if succeeded(c) {
				whole++
			} else {
				f.Wasted++
			}
		}
		counts = append(counts, whole)
		f.Resting += whileResting(by[id], sc.rest)
	}
	f.Jain = jain(counts)
	return f
}

func succeeded(c simulator.Record) bool { return c.Whole && c.Status == http.StatusOK }

// hops returns how often a session's credential changed, on average, and how many sessions
// began on several.
func (r *run) hops() (perSession float64, split int) {
	servedBy := map[string]string{} // credentials by the names of answers
	for _, c := range r.calls {
		if succeeded(c) {
			servedBy[c.Name] = c.Credential
		}
	}
	slices.SortStableFunc(r.requests, func(a, b request) int { return a.endedAt.Compare(b.endedAt) })
	type state struct{ last, first string }
	sessions := map[int]state{}
	changes, parted := 0, map[int]bool{}
	for _, q := range r.requests {
		if q.answer.ending != served {
			continue
		}
		by, now := servedBy[q.answer.name], sessions[q.session]
		if now.last != "" && now.last != by {
			changes++
		}
		if q.turn == 0 {
			if now.first = cmp.Or(now.first, by); now.first != by {
				parted[q.session] = true
			}
		}
		now.last = by
		sessions[q.session] = now
	}
	return float64(changes) / float64(max(len(sessions), 1)), len(parted)
}

func (r *run) byCredential() map[string][]simulator.Record {
	by := map[string][]simulator.Record{}
	for _, c := range r.calls {
		by[c.Credential] = append(by[c.Credential], c)
	}
	return by
}

// whileResting counts the calls of one credential that began while it was known to rest:
// after a failure had come back, and before its rest could be over or a later call had
// shown that it was. It errs on the lenient side: rests count with their least length, and
// failures of calls that were under way when one began do not lengthen it. Probes need no
// allowance, since no run lasts as long as the gateway waits before one.
func whileResting(calls []simulator.Record, rest func(status int) time.Duration) int {
	slices.SortStableFunc(calls, func(a, b simulator.Record) int { return a.EndedAt.Compare(b.EndedAt) })
	type span struct{ from, to time.Time }
	var rests []span
	for _, c := range calls {
		last := len(rests) - 1
		underWay := last >= 0 && !c.StartedAt.After(rests[last].from)
		switch {
		case underWay, blamesRequest(c):
		case !succeeded(c):
			rests = append(rests, span{c.EndedAt, c.EndedAt.Add(rest(c.Status))})
		case last >= 0 && c.EndedAt.Before(rests[last].to):
			rests[last].to = c.EndedAt
		}
	}
	n := 0
	for _, c := range calls {
		if slices.ContainsFunc(rests, func(r span) bool { return c.StartedAt.After(r.from) && c.StartedAt.Before(r.to) }) {
			n++
		}
	}
	return n
}

// blamesRequest reports whether a failed call says nothing about its credential.
func blamesRequest(c simulator.Record) bool {
	return c.Status == http.StatusBadRequest || c.Status == http.StatusNotFound
}

// jain is Jain's index of fairness: 1 if all are equal, 1/n if one has all.
func jain(counts []int) float64 {
	var sum, squares float64
	for _, n := range counts {
		sum += float64(n)
		squares += float64(n) * float64(n)
	}
	if squares == 0 {
		return 1
	}
	return sum * sum / (float64(len(counts)) * squares)
}

package quality

import "fmt"

// check is one thing that is asked of a run. failed says what is wrong; empty = nothing.
type check struct{ name, failed string }

// checks returns what a scenario asks of its figures.
func (f figures) checks(sc scenario, s source) []check {
	if f.Requests == 0 {
		return []check{{"work", "no request was made"}}
	}
	success := check{name: "success"}
	failed := f.Requests - f.Served
	if sc.cuts {
		failed -= f.Told
	}
	if failed > 0 {
		success.failed = fmt.Sprintf("%d of %d requests failed, such as %q", failed, f.Requests, f.failures)
	}
	all := []check{success}
	least := func(name string, have, want float64) {
		c := check{name: name}
		if have < want {
			c.failed = fmt.Sprintf("%.4f, want at least %.2f", have, want)
		}
		all = append(all, c)
	}
	none := func(name string, n int, what string) {
		c := check{name: name}
		if n > 0 {
			c.failed = fmt.Sprintf("%d %s", n, what)
		}
		all = append(all, c)
	}
	if !s.off && sc.minCache > 0 {
		least("cache", f.Cache, sc.minCache)
	}
	if !s.off && sc.parallel > 1 {
		none("first burst", f.Split, "sessions began on several credentials")
	}
	if sc.minJain > 0 {
		least("fairness", f.Jain, sc.minJain)
	}
	none("resting", f.Resting, "calls to a credential that was known to rest")
	return all
}

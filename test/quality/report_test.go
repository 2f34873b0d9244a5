package quality

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/require"
)

// report collects figures of runs that go on at the same time.
type report struct {
	mu   sync.Mutex
	rows []figures
}

func (r *report) add(f figures) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, f)
}

// print writes the rows to standard output in the order of scenarios and sources, if the
// flag says so.
func (r *report) print(t *testing.T) {
	slices.SortFunc(r.rows, func(a, b figures) int {
		return cmp.Or(
			cmp.Compare(scenarioIndex(a.Scenario), scenarioIndex(b.Scenario)),
			cmp.Compare(sourceIndex(a.Source), sourceIndex(b.Source)),
		)
	})
	show(t, r.rows, r.table)
}

// show writes rows as the flag says: as a table, as one line of JSON, or not at all.
func show(t *testing.T, rows any, table func(io.Writer)) {
	t.Helper()
	switch *format {
	case "json":
		require.NoError(t, json.NewEncoder(os.Stdout).Encode(rows))
	case "text":
		table(os.Stdout)
	}
}

func scenarioIndex(name string) int {
	return slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })
}

func sourceIndex(name string) int {
	return slices.IndexFunc(sources(), func(s source) bool { return s.name == name })
}

func (r *report) table(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "scenario\tsource\tsuccess %\tcache %\thops\twasted\tresting\tJain\trequests\t")
	for _, f := range r.rows {
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%.2f\t%.2f\t%d\t%d\t%.3f\t%d\t\n", f.Scenario, f.Source,
			100*float64(f.Served)/float64(max(f.Requests, 1)), 100*f.Cache, f.Hops, f.Wasted, f.Resting, f.Jain, f.Requests)
	}
	_ = w.Flush() // standard output
}

package metrics

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// dashboard is what a test needs of a Grafana dashboard.
type dashboard struct {
	Annotations struct {
		List []struct {
			Expr string `json:"expr"`
		} `json:"list"`
	} `json:"annotations"`
	Panels []struct {
		ID      int    `json:"id"`
		Type    string `json:"type"`
		Title   string `json:"title"`
		GridPos struct{ H, W, X, Y int }
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "grafana", "understudy.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// describedMetrics returns the labels of every metric there is, by its name.
func describedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	descriptions := make(chan *prometheus.Desc, 1000)
	New("").registry.Describe(descriptions)
	close(descriptions)
	pattern := regexp.MustCompile(`fqName: "([a-z_]+)".*constLabels: \{([^}]*)\}.*variableLabels: \{([^}]*)\}`)
	metrics := map[string][]string{}
	for d := range descriptions {
		parts := pattern.FindStringSubmatch(d.String())
		require.NotNil(t, parts, d.String())
		labels := strings.Split(parts[3], ",")
		for label := range strings.SplitSeq(parts[2], ",") {
			name, _, _ := strings.Cut(label, "=")
			labels = append(labels, name)
		}
		metrics[parts[1]] = slices.DeleteFunc(labels, func(l string) bool { return l == "" })
	}
	require.Contains(t, metrics, "understudy_requests_total")
	return metrics
}

func TestDashboard_AsksOnlyForWhatThereIs(t *testing.T) {
	t.Parallel()
	known := describedMetrics(t)
	d := readDashboard(t)
	asked := map[string]bool{}
	var queries []string
	for _, a := range d.Annotations.List {
		queries = append(queries, a.Expr)
	}
	for _, p := range d.Panels {
		require.Equal(t, p.Type == "row", len(p.Targets) == 0, p.Title)
		for _, target := range p.Targets {
			queries = append(queries, target.Expr)
		}
	}
	for _, query := range queries {
		names := regexp.MustCompile(namespace+`_[a-z_]+`).FindAllString(query, -1)
		require.NotEmpty(t, names, query)
		labels := []string{"job"} // the scrape's
		for _, name := range names {
			require.Contains(t, known, name, query)
			asked[name] = true
			labels = append(labels, known[name]...)
		}
		for _, used := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(query, -1) {
			for label := range strings.SplitSeq(used[1], ",") {
				require.Contains(t, labels, strings.TrimSpace(label), query)
			}
		}
		for _, used := range regexp.MustCompile(`[{,] *([a-z_]+)(?:=|!)`).FindAllStringSubmatch(query, -1) {
			require.Contains(t, labels, used[1], query)
		}
	}
	for name := range known {
		require.True(t, asked[name], "%s is on no panel", name)
	}
}

func TestDashboard_PanelsHaveTheirPlaces(t *testing.T) {
	t.Parallel()
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range readDashboard(t).Panels {
		require.NotEmpty(t, p.Title)
		require.False(t, ids[p.ID], p.Title)
		ids[p.ID] = true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, taken[[2]int{x, y}], p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

func TestDocs_NameEveryMetric(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	require.NoError(t, err)
	documented := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `("+namespace+"_[a-z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(text), -1) {
		labels := []string{}
		for _, label := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[2], -1) {
			labels = append(labels, label[1])
		}
		slices.Sort(labels)
		documented[row[1]] = labels
	}
	for name, labels := range describedMetrics(t) {
		slices.Sort(labels)
		require.Equal(t, labels, append([]string{}, documented[name]...), name)
		delete(documented, name)
	}
	require.Empty(t, documented, "what there is not")
}

package quality

import "testing"

// TestRouting_MeetsItsTargets plays every scenario with every source. Each target is a
// subtest of its own.
func TestRouting_MeetsItsTargets(t *testing.T) {
	var all report
	t.Run("all", func(t *testing.T) {
		for _, sc := range scenarios() {
			for _, s := range sourcesNow() {
				t.Run(sc.name+"/"+s.name, func(t *testing.T) {
					t.Parallel()
					var f figures
					inBubble(t, func(t *testing.T) { f = play(t, sc, s, loadNow()).figures(sc, s) })
					all.add(f)
					for _, c := range f.checks(sc, s) {
						if c.failed != "" {
							t.Errorf("%s: %s", c.name, c.failed)
						}
					}
				})
			}
		}
	})
	all.print(t)
}

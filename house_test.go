package understudy_test

import (
	"testing"
)

// finding is one breach of a rule.
type finding struct {
	at   string // "path:line", or the path of a folder
	what string
	why  string // the rule's reason, for whoever meets the rule here for the first time
}

func (f finding) String() string { return f.at + ": " + f.what + "\n\twhy: " + f.why }

// rule is one law of the house. It looks at the whole tree and knows nothing of the
// others.
type rule struct {
	name  string
	check func(*tree) []finding
}

func houseRules() []rule {
	return []rule{
		{"imports of our own packages", ownImports},
		{"imports of other modules", foreignImports},
		{"package names", packageNames},
		{"no init functions", noInit},
		{"no package state", noPackageState},
		{"no sleeping", noSleeping},
		{"no harmful actor calls", noHarmfulActorCalls},
		{"exported means documented", documented},
		{"nothing left to do", nothingLeftToDo},
		{"no paths of one machine", noMachinePaths},
		{"sizes", withinBudgets},
	}
}

func TestHouse_KeepsItsRules(t *testing.T) {
	t.Parallel()
	house := loadTree(t, ".")
	for _, r := range houseRules() {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range r.check(house) {
				t.Error(f)
			}
		})
	}
	t.Log(measure(house))
}

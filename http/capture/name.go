package capture

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Name is what the name of a capture's file tells.
type Name struct {
	At     time.Time // when the request came, to the millisecond, in UTC
	Failed bool
	Status int    // what the client got; 499 = it went away
	ID     string // of the request, with '_' in place of ':'
}

const (
	timeLayout = "20060102T150405.000"
	ending     = ".txt"
)

// String is the name of the file. Names sort by time.
func (n Name) String() string {
	what := "served"
	if n.Failed {
		what = "failed"
	}
	return n.At.UTC().Format(timeLayout) + "-" + what + "-" + strconv.Itoa(n.Status) + "-" + strings.ReplaceAll(n.ID, ":", "_") + ending
}

// ParseName reads the name of a capture's file. It reports false for any other: one that it
// accepts has no separator in it and is no way out of a folder.
func ParseName(file string) (Name, bool) {
	parts := regexp.MustCompile(`^(\d{8}T\d{6}\.\d{3})-(served|failed)-(\d{3})-([A-Za-z0-9._-]{1,140})\.txt$`).FindStringSubmatch(file)
	if parts == nil {
		return Name{}, false
	}
	at, err := time.Parse(timeLayout, parts[1])
	if err != nil {
		return Name{}, false
	}
	status, err := strconv.Atoi(parts[3])
	if err != nil {
		return Name{}, false
	}
	return Name{At: at, Failed: parts[2] == "failed", Status: status, ID: parts[4]}, true
}

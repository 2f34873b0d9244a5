package config

import (
	"fmt"
	"strings"
)

// unknownKey says that key is not one of fields and, if one is close, which was meant.
func unknownKey(key string, fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
	}
	if strings.Contains(key, ":") {
		return "unknown key; is a space missing after the colon?"
	}
	return "unknown key" + didYouMean(key, names)
}

// unknownValue says that value is not one of known and, if one is close, which was meant.
func unknownValue(value string, known []string) string {
	return fmt.Sprintf("unknown value %q%s; one of %s", value, didYouMean(value, known), strings.Join(known, ", "))
}

// didYouMean returns a hint at the nearest of known, or "" if none is near.
func didYouMean(word string, known []string) string {
	word = strings.ReplaceAll(strings.ToLower(word), "_", "-")
	if len(word) > 64 {
		return ""
	}
	best, limit := "", max(1, len(word)/3)
	for _, k := range known {
		if d := distance(word, k); d <= limit {
			best, limit = k, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance counts the single-byte insertions, deletions and changes that make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// printable returns key as far as it looks like a key: a secret that got into the place
// of one, as in {api-key:sk-123}, must not show in an error.
func printable(key string) string {
	for i, r := range key {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '-' || r == '_'
		if !letter || i == 40 {
			return key[:i] + "…"
		}
	}
	return key
}

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// table prints columns for people.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, heads ...any) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(heads...)
	return t
}

// row adds a line; cells that are empty show a dash.
func (t table) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = orDash(plain(fmt.Sprint(cell)))
	}
	fmt.Fprintln(t.w, strings.Join(texts, "\t"))
}

func (t table) end() error { return t.w.Flush() }

// plain returns s without what could move the cursor or hide text: ids and reasons come from
// clients and upstreams.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return unicode.ReplacementChar
		default:
			return r
		}
	}, s)
}

// span returns how long d is, to two places that matter.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "0s"
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	case d < day:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	default:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	}
}

// millis returns how long n milliseconds are.
func millis(n float64) string { return span(time.Duration(n * float64(time.Millisecond))) }

// until returns how far away at is; empty if it is not known.
func until(at *time.Time, now time.Time) string {
	if at == nil {
		return ""
	}
	return span(at.Sub(now).Round(time.Second))
}

// count returns n and what there are n of, as in "1 session" and "2 sessions".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// story tells of a request what was asked, what was tried and why, and what came of it.
func (r requestView) story(place *time.Location) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Request %s came at %s.", plain(r.ID), r.At.In(place).Format("2006-01-02 15:04:05.000 -0700"))
	line("It asked for %s (%s, %s)%s.", quoted(r.Asked), plain(r.FormatIn), plain(r.Operation), r.asker())
	if r.Session != "" {
		line("It belongs to session %s, known by %s.", plain(r.Session), plain(r.SessionSource))
	}
	line("")
	for i, a := range r.Attempts {
		line("%d. %s", i+1, a.story())
	}
	if r.Rejected != nil {
		line("%s", r.nobody())
	}
	if len(r.Attempts) > 0 || r.Rejected != nil {
		line("")
	}
	line("The client got %s.", r.answer())
	if r.Used != "" && r.Used != r.Asked {
		line("It was served as %s.", quoted(r.Used))
	}
	if to := r.movedTo(); to != "" {
		line("The session goes on with %s.", plain(to))
	}
	if r.FormatOut != "" && r.FormatOut != r.FormatIn {
		line("It was translated to %s.%s", plain(r.FormatOut), lost(r.Lost))
	}
	if r.Dropped > 0 {
		line("%s left out: the credential is of another account and could not read it.", count(r.Dropped, "item")+" of encrypted reasoning")
	}
	if r.Input+r.Output > 0 {
		line("Tokens: %d in (%d of them cached), %d out.", r.Input, r.Cached, r.Output)
	}
	line("%s", r.times())
	return b.String()
}

func (r requestView) asker() string {
	if r.Client == "" {
		return ""
	}
	return " with the client key " + quoted(r.Client)
}

func (r requestView) answer() string {
	text := fmt.Sprintf("%d", r.Status)
	switch {
	case r.Status == 499:
		text = "nothing more: it went away"
	case r.Outcome != "":
		text += " (" + plain(r.Outcome) + ")"
	}
	if r.Error != "" {
		text += ", from the gateway itself: " + quoted(r.Error)
	}
	return text
}

// movedTo returns the credential that a session has moved to with this request, if it has.
func (r requestView) movedTo() string {
	n := len(r.Attempts)
	if n < 2 || r.Attempts[0].Why != "bound" || r.Attempts[n-1].Outcome != "success" || r.Attempts[n-1].Credential == r.Attempts[0].Credential {
		return ""
	}
	return r.Attempts[n-1].Credential
}

// nobody tells who was not ready when nobody was left.
func (r requestView) nobody() string {
	text := "Then nobody was left to try"
	if len(r.Attempts) == 0 {
		text = "Nobody could be asked"
	}
	if others := r.Rejected.rejections(); others != "" {
		return text + ": " + others + "."
	}
	return text + "."
}

func lost(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	return " That format could not say: " + plain(strings.Join(paths, ", ")) + "."
}

// story tells of an attempt in a few lines.
func (a attemptView) story() string {
	const next = "\n   "
	text := fmt.Sprintf("%s (provider %s, model %s)", plain(a.Credential), plain(a.Provider), plain(a.Model))
	if a.WaitedMS > 0 {
		text += next + "waited " + millis(a.WaitedMS) + " until somebody was ready"
	}
	text += next + "chosen because " + a.because()
	if a.From != nil {
		if others := a.From.rejections(); others != "" {
			text += next + "not chosen: " + others
		}
	}
	text += next + fmt.Sprintf("asked %s after the request came; %s after %s", millis(a.BeganMS), a.answered(), millis(a.TotalMS))
	if a.FirstByteMS > 0 && a.TotalMS-a.FirstByteMS > 1 { // else nobody wants to know
		text += ", its first byte after " + millis(a.FirstByteMS)
	}
	return text
}

// because says why the credential of an attempt was picked.
func (a attemptView) because() string {
	switch a.Why {
	case "pin":
		return "what the request refers to exists only there"
	case "bound":
		return "it serves this session"
	case "warm":
		return "it served this session before, and the one that serves it now was not ready"
	case "probe":
		return "it rests, and this request is to find out whether it still must"
	case "only":
		return "no other was ready"
	case "strategy":
		if a.From == nil || a.From.Strategy == "" {
			return "the strategy picked it"
		}
		return fmt.Sprintf("%s picked it out of %d that were ready", plain(a.From.Strategy), a.From.Ready)
	default:
		return plain(a.Why)
	}
}

func (a attemptView) answered() string {
	text := "no answer"
	if a.Status > 0 {
		text = fmt.Sprintf("answer %d", a.Status)
	}
	text += " (" + plain(a.Outcome)
	if a.Reason != "" {
		text += ": " + plain(a.Reason)
	}
	return text + ")"
}

// rejections tells who could not be picked and why, those with the same reason together.
func (f *fieldView) rejections() string {
	var reasons []string
	by := map[string][]string{}
	for _, r := range f.Rejected {
		if by[r.Reason] == nil {
			reasons = append(reasons, r.Reason)
		}
		by[r.Reason] = append(by[r.Reason], plain(r.Credential))
	}
	var texts []string
	for _, reason := range reasons {
		texts = append(texts, strings.Join(by[reason], ", ")+" ("+rejection(reason)+")")
	}
	if f.More > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", f.More))
	}
	return strings.Join(texts, "; ")
}

func rejection(reason string) string {
	kind, rests := strings.CutPrefix(reason, "resting:")
	switch {
	case rests:
		return "resting: " + plain(kind)
	case reason == "tried":
		return "tried already"
	case reason == "lower-tier":
		return "of a lower priority"
	case reason == "saturated":
		return "at its max-concurrency"
	case reason == "excluded-model":
		return "does not serve this model"
	default:
		return plain(reason)
	}
}

// times tells where the time went.
func (r requestView) times() string {
	text := fmt.Sprintf("It took %s", millis(r.TotalMS))
	if r.FirstByteMS > 0 && r.TotalMS-r.FirstByteMS > 1 {
		text += fmt.Sprintf(", with the first byte after %s", millis(r.FirstByteMS))
	}
	failed, served := 0.0, 0.0
	for i, a := range r.Attempts {
		if a.Outcome == "success" && i == len(r.Attempts)-1 {
			served += a.TotalMS
		} else {
			failed += a.TotalMS
		}
	}
	waited := r.WaitedMS
	own := max(0, r.TotalMS-waited-failed-served)
	var parts []string
	for _, p := range []struct {
		ms   float64
		what string
	}{{waited, "waiting for a credential"}, {failed, "in attempts that failed"}, {served, "in the attempt that served"}, {own, "in the gateway"}} {
		if p.ms > 0 && r.TotalMS > 0 {
			parts = append(parts, fmt.Sprintf("%s %s (%.0f %%)", millis(p.ms), p.what, math.Round(100*p.ms/r.TotalMS)))
		}
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text + "."
}

// quoted puts what a client or an upstream said in quotation marks.
func quoted(s string) string { return `"` + plain(s) + `"` }

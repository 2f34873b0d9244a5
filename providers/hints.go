package providers

import (
	"bytes"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// maxHint bounds every hint: no quota window is longer than a month, so a longer hint is
// a mistake that must not take a credential out for good.
const maxHint = 31 * 24 * time.Hour

// maxHintText bounds how much of a body is searched for a hint in words.
const maxHintText = 16 << 10

// RetryHint returns how long the upstream asks to wait, counted from now, or 0 if it does
// not say. It is never negative and at most 31 days. The first of these that lies in the
// future wins, because the earlier ones are about this refusal and the later ones about
// the limits in general:
//
//  1. header Retry-After-Ms, then Retry-After (seconds, fractions of them, or a date)
//  2. body: resets_in_seconds, Gemini's RetryInfo.retryDelay, resets_at (epoch or RFC 3339)
//  3. the same headers repeated in the body, as WebSocket error events and OpenRouter do
//  4. text such as "try again in 1m30s" or "retry after 20 seconds"
//  5. the reset of the rate limit that is used up, or else used up furthest (see Quotas)
func RetryHint(h http.Header, body []byte, now time.Time) time.Duration {
	if d := statedHint(h, body, now); d > 0 {
		return d
	}
	if d := quotaHint(Quotas(h, now), now); d > 0 {
		return d
	}
	return quotaHint(Quotas(bodyHeaders(body), now), now)
}

// statedHint is RetryHint without step 5: what the upstream says about this answer.
func statedHint(h http.Header, body []byte, now time.Time) time.Duration {
	if d := headerHint(h, now); d > 0 {
		return d
	}
	if d := memberHint(body, now); d > 0 {
		return d
	}
	if d := headerHint(bodyHeaders(body), now); d > 0 {
		return d
	}
	return textHint(body)
}

func headerHint(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return seconds(ms / 1000)
	}
	value := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(value, 64); err == nil {
		return seconds(s)
	}
	if at, err := http.ParseTime(value); err == nil {
		return bound(at.Sub(now))
	}
	return 0
}

// memberHint reads the members that vendors put beside an error's text.
func memberHint(body []byte, now time.Time) time.Duration {
	for _, path := range []string{"error", "response.error", "0.error", "@this"} {
		e := gjson.GetBytes(body, path)
		if !e.IsObject() {
			continue
		}
		if d := seconds(e.Get("resets_in_seconds").Float()); d > 0 {
			return d
		}
		for _, delay := range e.Get("details.#.retryDelay").Array() {
			if d, rest := leadingSpan(delay.String()); d > 0 && rest == "" {
				return d
			}
		}
		if at, ok := parseReset(e.Get("resets_at").String(), now); ok && at.After(now) {
			return bound(at.Sub(now))
		}
	}
	return 0
}

// bodyHeaders returns the headers a body repeats; nil if there are none.
func bodyHeaders(body []byte) http.Header {
	var h http.Header
	for _, path := range []string{"headers", "error.headers", "error.metadata.headers"} {
		gjson.GetBytes(body, path).ForEach(func(name, value gjson.Result) bool {
			if h == nil {
				h = http.Header{}
			}
			h.Set(name.String(), value.String())
			return true
		})
	}
	return h
}

// textHint reads a wait told in words, the way vendors put it into an error's message.
func textHint(body []byte) time.Duration {
	text := string(bytes.ToLower(body[:min(len(body), maxHintText)]))
	for _, phrase := range []string{"try again in ", "retry in ", "try again after ", "retry after "} {
		for _, after := range strings.Split(text, phrase)[1:] {
			if d, _ := leadingSpan(after); d > 0 {
				return d
			}
		}
	}
	return 0
}

// leadingSpan reads a duration such as "7.66s", "1m30s", "250ms" or "1 minute 5 seconds"
// at the beginning of text. It returns 0 if there is none, and what follows it.
func leadingSpan(text string) (d time.Duration, rest string) {
	var total float64
	rest = text
	for {
		number, after := cutRun(strings.TrimLeft(rest, " "), "0123456789.")
		unit, after := cutRun(strings.TrimLeft(after, " "), "abcdefghijklmnopqrstuvwxyz")
		n, err := strconv.ParseFloat(number, 64)
		scale := unitSeconds(unit)
		if err != nil || scale == 0 {
			return seconds(total), rest
		}
		total += n * scale
		rest = after
	}
}

// cutRun splits text after its leading characters of set.
func cutRun(text, set string) (run, rest string) {
	rest = strings.TrimLeft(text, set)
	return text[:len(text)-len(rest)], rest
}

// unitSeconds returns how many seconds a unit has; 0 if it is none.
func unitSeconds(unit string) float64 {
	switch unit {
	case "ms", "millisecond", "milliseconds":
		return 0.001
	case "s", "sec", "secs", "second", "seconds":
		return 1
	case "m", "min", "mins", "minute", "minutes":
		return 60
	case "h", "hr", "hrs", "hour", "hours":
		return 60 * 60
	case "d", "day", "days":
		return 24 * 60 * 60
	default:
		return 0
	}
}

// parseReset reads the instant at which a limit resets: a duration from now ("6m0s"), a
// number (seconds from now, or seconds or milliseconds since 1970), or RFC 3339.
func parseReset(value string, now time.Time) (time.Time, bool) {
	if n, err := strconv.ParseFloat(value, 64); err == nil {
		switch {
		case math.IsNaN(n) || n < 0 || n > 1e15:
			return time.Time{}, false
		case n > 1e11:
			return time.UnixMilli(int64(n)).UTC(), true
		case n > 1e9:
			return time.Unix(int64(n), 0).UTC(), true
		default:
			return now.Add(seconds(n)).UTC(), true
		}
	}
	if d, err := time.ParseDuration(value); err == nil {
		return now.Add(bound(d)).UTC(), true
	}
	if d, rest := leadingSpan(value); d > 0 && rest == "" {
		return now.Add(d).UTC(), true
	}
	at, err := time.Parse(time.RFC3339, value)
	return at.UTC(), err == nil
}

// seconds turns n into a bounded duration. NaN is 0.
func seconds(n float64) time.Duration {
	switch {
	case !(n > 0):
		return 0
	case n >= maxHint.Seconds():
		return maxHint
	default:
		return time.Duration(n * float64(time.Second))
	}
}

func bound(d time.Duration) time.Duration { return min(max(d, 0), maxHint) }

package ledger

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/understudyhq/understudy/providers"
)

// ListUsage asks for []UsageRow, latest day first.
type ListUsage struct{}

// UsageRow counts what was served on one day, by model, credential and client.
type UsageRow struct {
	Day        time.Time // its beginning, UTC
	Model      string    // the name it was served under; empty = none was
	Credential providers.CredentialID
	Client     string // name of the client's key; empty = open access
	Requests   uint64
	Failed     uint64 // of those, answered with a status of 400 or more
	Usage      providers.Usage
}

// Bounds on what is kept: so many days, and so many rows of one day. What goes beyond that is
// counted under the model Other, without credential and client.
const (
	usageDays    = 92
	usageDayRows = 5_000
	// Other stands for all models that there is no room for.
	Other = "(other)"
)

type usageKey struct {
	model      string
	credential providers.CredentialID
	client     string
}

type usageCount struct {
	requests, failed uint64
	usage            providers.Usage
}

// usageBook counts requests by day, which is counted from 1970.
type usageBook map[int64]map[usageKey]*usageCount

const daySeconds = 24 * 60 * 60

// add counts a request. It has the tokens of the attempt that served, and its credential.
func (b usageBook) add(r *Record) {
	day := r.At.Unix() / daySeconds
	rows := b[day]
	if rows == nil {
		rows = map[usageKey]*usageCount{}
		b[day] = rows
		b.forget(day - usageDays)
	}
	key := usageKey{model: r.Used, client: r.Client}
	if n := len(r.Attempts); n > 0 {
		key.credential = r.Attempts[n-1].Credential
	}
	count := rows[key]
	if count == nil && len(rows) >= usageDayRows {
		key = usageKey{model: Other}
		count = rows[key]
	}
	if count == nil {
		count = &usageCount{}
		key.model = strings.Clone(key.model)
		rows[key] = count
	}
	if count.requests++; r.Status >= 400 {
		count.failed++
	}
	count.usage = sum(count.usage, r.Usage)
}

func (b usageBook) forget(upTo int64) {
	for day := range b {
		if day <= upTo {
			delete(b, day)
		}
	}
}

func (b usageBook) list() []UsageRow {
	list := []UsageRow{}
	for day, rows := range b {
		for key, count := range rows {
			list = append(list, UsageRow{
				Day: time.Unix(day*daySeconds, 0).UTC(), Model: key.model, Credential: key.credential, Client: key.client,
				Requests: count.requests, Failed: count.failed, Usage: count.usage,
			})
		}
	}
	slices.SortFunc(list, func(a, b UsageRow) int {
		return cmp.Or(b.Day.Compare(a.Day), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Credential, b.Credential), cmp.Compare(a.Client, b.Client))
	})
	return list
}

func sum(a, b providers.Usage) providers.Usage {
	return providers.Usage{
		InputTokens: a.InputTokens + b.InputTokens, OutputTokens: a.OutputTokens + b.OutputTokens,
		CachedTokens: a.CachedTokens + b.CachedTokens, CacheWriteTokens: a.CacheWriteTokens + b.CacheWriteTokens,
	}
}

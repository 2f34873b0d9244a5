package chat

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// history ties the results of tools to their calls. Ids need not be unique: some upstreams
// count them anew in every turn, so a result belongs to the nearest call before it.
type history struct {
	ofCall  map[*llm.ToolCall]int // its place in results
	results []*llm.ToolResult     // in the order of their first appearance, the last payload of each
	orphans map[*llm.ToolResult]bool
}

func historyOf(all []llm.Message) *history {
	h := &history{}
	latest := map[string]*llm.ToolCall{}
	var early []*llm.ToolResult // stand before any call of their id
	for i := range all {
		for _, p := range all[i].Parts {
			switch p := p.(type) {
			case *llm.ToolCall:
				latest[p.ID] = p
			case *llm.ToolResult:
				if call := latest[p.ID]; call != nil {
					h.tie(call, p)
					continue
				}
				early = append(early, p)
			}
		}
	}
	for _, r := range early {
		call := latest[r.ID]
		if _, answered := h.ofCall[call]; call != nil && !answered {
			h.tie(call, r)
			continue
		}
		if h.orphans == nil {
			h.orphans = map[*llm.ToolResult]bool{}
		}
		h.orphans[r] = true
	}
	return h
}

func (h *history) tie(call *llm.ToolCall, r *llm.ToolResult) {
	if place, again := h.ofCall[call]; again {
		h.results[place] = r
		return
	}
	if h.ofCall == nil {
		h.ofCall = map[*llm.ToolCall]int{}
	}
	h.ofCall[call] = len(h.results)
	h.results = append(h.results, r)
}

// answered reports whether a call has a result.
func (h *history) answered(call *llm.ToolCall) bool {
	_, ok := h.ofCall[call]
	return ok
}

// orphan reports whether the history has no call for r.
func (h *history) orphan(r *llm.ToolResult) bool { return h.orphans[r] }

// resultsOf returns the results of a turn's calls in the order they came.
func (h *history) resultsOf(run []llm.Message) []*llm.ToolResult {
	var places []int
	for i := range run {
		for _, p := range run[i].Parts {
			if call, ok := p.(*llm.ToolCall); ok {
				if place, answered := h.ofCall[call]; answered {
					places = append(places, place)
				}
			}
		}
	}
	slices.Sort(places)
	results := make([]*llm.ToolResult, len(places))
	for i, place := range places {
		results[i] = h.results[place]
	}
	return results
}

// spelledOut returns what a result says. Clients of the Responses format may send content
// with images as a string of JSON; as a string it would be read as text, at the cost of
// its length in tokens. Anything that is not certainly such content stays as it is.
func spelledOut(parts []llm.Part) []llm.Part {
	if len(parts) != 1 {
		return parts
	}
	text, ok := parts[0].(*llm.Text)
	if !ok || !strings.HasPrefix(strings.TrimSpace(text.Text), "[") || !strings.Contains(text.Text, `"input_image"`) {
		return parts
	}
	var items []struct {
		Type     string         `json:"type"`
		Text     *string        `json:"text"`
		ImageURL string         `json:"image_url"`
		Detail   string         `json:"detail"`
		Rest     jsontext.Value `json:",embed"`
	}
	if wire.Decode([]byte(text.Text), &items) != nil {
		return parts
	}
	spelled, images := make([]llm.Part, 0, len(items)), 0
	for _, item := range items {
		switch {
		case item.Type == "input_image" && isImageURL(item.ImageURL) && item.Text == nil && len(item.Rest) == 0:
			image := mediaOf(llm.Image, item.ImageURL)
			image.Detail = item.Detail
			spelled = append(spelled, image)
			images++
		case item.Type == "input_text" && item.Text != nil && item.ImageURL == "" && len(item.Rest) == 0:
			spelled = append(spelled, &llm.Text{Text: *item.Text})
		default:
			return parts
		}
	}
	if images == 0 {
		return parts
	}
	return spelled
}

func isImageURL(address string) bool {
	return strings.HasPrefix(address, "data:image/") || strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

package translate

import (
	"bytes"
	"time"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/items"
	"github.com/understudyhq/understudy/internal/llm/responses"
	"github.com/understudyhq/understudy/internal/sse"
)

// Native is what an answer in the Responses format, which goes to its client as it is, adds to
// its conversation. The zero value is ready. It is for one goroutine.
type Native struct {
	Kept  bool // for whoever keeps it
	items [][]byte
	id    string
}

// Take looks at one event of the answer.
func (n *Native) Take(e sse.Event) error {
	switch string(e.Name) {
	case "response.output_item.done":
		if item := gjson.GetBytes(e.Data, "item"); item.IsObject() {
			n.items = append(n.items, []byte(item.Raw))
		}
	case "response.completed", "response.done", "response.incomplete":
		n.id = gjson.GetBytes(e.Data, "response.id").String()
		if output := gjson.GetBytes(e.Data, "response.output").Array(); len(output) > len(n.items) {
			n.items = n.items[:0]
			for _, item := range output {
				n.items = append(n.items, []byte(item.Raw))
			}
		}
	}
	return nil
}

// ID is the answer's; empty until it has come to its end.
func (n *Native) ID() string { return n.id }

// Turn returns the items that the answer has added, those of its request's own input first.
func (n *Native) Turn(input []byte) []byte {
	return items.Append(Items(input), n.items)
}

// Items returns the items of an input as comma-separated JSON. It shares no memory with it.
func Items(input []byte) []byte { return responses.AppendItems(input, &llm.Answer{}, llm.Reply{}) }

// JoinItems returns the items of one text and of another behind them.
func JoinItems(a, b []byte) []byte {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	default:
		return bytes.Join([][]byte{a, b}, []byte{','})
	}
}

// EmptyAnswer returns a streamed answer that says nothing, as events.
func EmptyAnswer(id, model string, at time.Time) []byte {
	return items.AppendEmpty(nil, id, model, at)
}

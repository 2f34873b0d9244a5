package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers/simulator/memory"
	"github.com/understudyhq/understudy/providers/simulator/prompt"
	"github.com/understudyhq/understudy/providers/simulator/refusal"
)

// responseRoute returns what serves a request about one response, if r is one.
func responseRoute(r *http.Request) (endpoint, bool) {
	id, action, ok := responseResource(r)
	if !ok {
		return endpoint{}, false
	}
	serve, ok := map[string]func(*exchange, string, memory.Turn) *refusal.Failure{
		"GET ":            (*exchange).retrieve,
		"DELETE ":         (*exchange).forget,
		"POST cancel":     (*exchange).cancel,
		"GET input_items": (*exchange).listInput,
	}[r.Method+" "+action]
	return endpoint{bodyless: true, handle: func(x *exchange) *refusal.Failure {
		x.pace(prompt.Marks{})
		t, ok := x.credential.account.Recall(id)
		if !ok || !t.Stored {
			return &refusal.Failure{Status: http.StatusNotFound, Message: "Response with id '" + id + "' not found."}
		}
		return serve(x, id, t)
	}}, ok
}

// responseResource takes the path of one response, and of what belongs to it, apart.
func responseResource(r *http.Request) (id, action string, ok bool) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1/responses/")
	if !ok || rest == "compact" || rest == "input_tokens" {
		return "", "", false
	}
	id, action, found := strings.Cut(rest, "/")
	id, err := url.PathUnescape(id)
	known := !found || action == "cancel" || action == "input_items"
	return id, action, err == nil && id != "" && known
}

func (x *exchange) retrieve(_ string, t memory.Turn) *refusal.Failure {
	x.send(json.RawMessage(t.Answer))
	return nil
}

func (x *exchange) forget(id string, _ memory.Turn) *refusal.Failure {
	x.credential.account.Forget(id)
	x.send(object{"id": id, "object": "response", "deleted": true})
	return nil
}

// cancel always comes too late.
func (x *exchange) cancel(_ string, t memory.Turn) *refusal.Failure {
	if !t.Background {
		return refusal.Invalid("", "Cannot cancel a synchronous response.")
	}
	return x.retrieve("", t)
}

// listInput serves a page of what the request added to its conversation, latest first
// unless the client wants it otherwise.
func (x *exchange) listInput(id string, t memory.Turn) *refusal.Failure {
	const usual, most = 20, 100
	var (
		query = x.r.URL.Query()
		items = withIDs(id, t.Input)
		limit = usual
	)
	if n, err := strconv.Atoi(query.Get("limit")); err == nil && n >= 1 && n <= most {
		limit = n
	}
	if query.Get("order") != "asc" {
		slices.Reverse(items)
	}
	if after := query.Get("after"); after != "" {
		at := slices.IndexFunc(items, func(item object) bool { return item["id"] == after })
		items = items[at+1:]
	}
	page := object{"object": "list", "data": items[:min(limit, len(items))], "first_id": nil, "last_id": nil, "has_more": len(items) > limit}
	if n := min(limit, len(items)); n > 0 {
		page["first_id"], page["last_id"] = items[0]["id"], items[n-1]["id"]
	}
	x.send(page)
	return nil
}

// withIDs decodes the input items of the response id and names those without a name.
func withIDs(id string, input []string) []object {
	items := make([]object, len(input))
	for i, raw := range input {
		item := object{}
		gjson.Parse(raw).ForEach(func(name, value gjson.Result) bool {
			item[name.Str] = json.RawMessage(value.Raw)
			return true
		})
		item["id"] = "item_" + strings.TrimPrefix(id, "resp_") + "_" + strconv.Itoa(i)
		if own := gjson.Get(raw, "id").Str; own != "" {
			item["id"] = own
		}
		if content := gjson.Get(raw, "content"); content.Type == gjson.String {
			item["content"] = []object{{"type": "input_text", "text": content.Str}}
		}
		items[i] = item
	}
	return items
}

package simulator

import (
	"net/http"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers/simulator/memory"
	"github.com/understudyhq/understudy/providers/simulator/refusal"
)

// thread is what an Anthropic request goes on from: nothing, or a message that its account
// has kept. Tools and instructions are those that the thread was created with.
type thread struct {
	kept     bool // the answer is to be gone on from
	tools    gjson.Result
	system   gjson.Result
	messages []string // as JSON
}

func (x *exchange) thread() (thread, *refusal.Failure) {
	wanted := x.body.Get("thread")
	t := thread{kept: wanted.IsObject(), tools: x.body.Get("tools"), system: x.body.Get("system")}
	if wanted.Get("type").Str != "continue" {
		return t, nil
	}
	id := wanted.Get("previous_message_id").Str
	turn, ok := x.credential.account.Recall(id)
	if !ok {
		return thread{}, &refusal.Failure{
			Status: http.StatusNotFound, Message: "No thread with message '" + id + "' was found.", Detail: "thread_not_found",
		}
	}
	t.tools, t.system, t.messages = gjson.Parse(turn.Tools), gjson.Parse(turn.System), turn.Transcript
	return t, nil
}

// keepThread remembers an answer of the thread t.
func (x *exchange) keepThread(t thread, content object) {
	if !t.kept {
		return
	}
	var input []string
	x.body.Get("messages").ForEach(func(_, m gjson.Result) bool {
		input = append(input, m.Raw)
		return true
	})
	answer := string(marshal(object{"role": "assistant", "content": []object{content}}))
	x.credential.account.Remember(x.id("msg_"), memory.Turn{
		Input: input, Tools: t.tools.Raw, System: t.system.Raw,
	}, t.messages, []string{answer})
}

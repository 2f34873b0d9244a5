package messages

import (
	"slices"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// DecodeRequest implements llm.Codec.
func (Codec) DecodeRequest(body []byte) (*llm.Request, error) {
	r := reader{body: body}
	err := wire.Decode(body, &r)
	if r.err != nil {
		return nil, r.err
	}
	if err != nil {
		return nil, err
	}
	r.lead()
	r.out.Tools = slices.Concat(r.tools, r.servers)
	r.settle()
	return &r.out, nil
}

// effortSeen collects what a request says about thinking, in several places.
type effortSeen struct {
	thinking string // thinking.type
	budget   *int64
	display  string
	effort   string // output_config.effort
	turn     string // that of the last system message that has one: it holds from there on
}

func (r *reader) request() error {
	if r.dec.PeekKind() != '{' {
		return r.unexpected("an object")
	}
	return r.object(r.member)
}

func (r *reader) member(name []byte) error {
	o := &r.out
	switch string(name) {
	case "model":
		return r.text(&o.Model)
	case "messages":
		return r.messages()
	case "system":
		return r.system()
	case "tools":
		r.tools = nil
		return r.array(r.tool)
	case "tool_choice":
		return r.choice()
	case "max_tokens":
		return r.whole(&o.MaxTokens)
	case "stream":
		return r.streamed()
	case "stop_sequences":
		o.Stop = nil
		return r.array(r.stop)
	case "temperature":
		return r.float(&o.Sampling.Temperature)
	case "top_p":
		return r.float(&o.Sampling.TopP)
	case "top_k":
		return r.whole(&o.Sampling.TopK)
	case "metadata":
		return r.metadata()
	case "service_tier":
		return r.text(&o.ServiceTier)
	case "cache_control":
		return r.cache(&o.Cache)
	default:
		return r.rarer(name)
	}
}

// rarer reads the members that are about thinking and the answer's shape, and those that
// stand for state or tools at the vendor.
func (r *reader) rarer(name []byte) error {
	switch string(name) {
	case "thinking":
		return r.thinking()
	case "output_config":
		return r.outputConfig()
	case "output_format": // what output_config.format was called in the beta
		return r.format()
	case "mcp_servers":
		r.servers = nil
		return r.array(r.mcpServer)
	case "thread":
		return r.thread()
	default:
		return r.unknown("", name)
	}
}

func (r *reader) streamed() error {
	var stream *bool
	err := r.flag(&stream)
	r.out.Stream = stream != nil && *stream
	return err
}

func (r *reader) stop() error {
	var s string
	err := r.text(&s)
	r.out.Stop = append(r.out.Stop, s)
	return err
}

func (r *reader) metadata() error {
	return r.object(func(name []byte) error {
		if string(name) == "user_id" {
			return r.text(&r.out.UserID)
		}
		return r.unknown("metadata.", name)
	})
}

func (r *reader) thinking() error {
	e := &r.efforts
	return r.object(func(name []byte) error {
		switch string(name) {
		case "type":
			return r.text(&e.thinking)
		case "budget_tokens":
			return r.whole(&e.budget)
		case "display":
			return r.text(&e.display)
		default:
			return r.unknown("thinking.", name)
		}
	})
}

func (r *reader) outputConfig() error {
	return r.object(func(name []byte) error {
		switch string(name) {
		case "effort":
			return r.text(&r.efforts.effort)
		case "format":
			return r.format()
		default:
			return r.unknown("output_config.", name)
		}
	})
}

func (r *reader) format() error {
	o := &r.out.Output
	return r.object(func(name []byte) error {
		switch string(name) {
		case "type":
			var kind string
			err := r.text(&kind)
			if err == nil && kind != "json_schema" {
				return r.fail("json_schema is expected")
			}
			o.Kind = llm.OutputSchema
			return err
		case "schema":
			if r.dec.PeekKind() != '{' {
				return r.unexpected("an object")
			}
			raw, err := r.raw()
			o.Schema = append([]byte(nil), raw...)
			return err
		default:
			return r.unknown("output_config.format.", name)
		}
	})
}

// thread reads the beta in which the vendor keeps the conversation.
func (r *reader) thread() error {
	var kind string
	return r.object(func(name []byte) error {
		switch string(name) {
		case "type":
			return r.text(&kind)
		case "previous_message_id":
			return r.text(&r.out.PreviousResponseID)
		default:
			return r.unknown("thread.", name)
		}
	})
}

// settle draws the conclusion from what the request says about thinking. A budget beats an
// effort, which is about all of the answer and not thinking alone.
func (r *reader) settle() {
	e, o := r.efforts, &r.out.Reasoning
	if e.turn != "" {
		e.effort = e.turn
	}
	switch e.thinking {
	case "disabled":
		o.Level = llm.LevelNone
	case "enabled":
		o.Budget = e.budget
	case "adaptive":
		o.Level = llm.LevelAuto
	}
	if e.effort != "" {
		if o.Budget == nil && o.Level != llm.LevelNone {
			o.Level = llm.Level(e.effort)
		} else {
			r.unsaid("output_config.effort", "thinking says something else")
		}
	}
	switch e.display {
	case "":
	case "summarized", "omitted":
		show := e.display == "summarized"
		o.Show = &show
	default:
		r.unsaid("thinking.display", "no other format has it")
	}
	if len(r.out.Output.Schema) == 0 {
		r.out.Output.Kind = llm.OutputKind("")
	}
}

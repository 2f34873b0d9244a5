package socket

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/internal/jsonwalk"
	"github.com/understudyhq/understudy/internal/peek"
)

// Kinds of a client's frames.
const (
	Create = "response.create"
	Append = "response.append"
)

// maxLaneBytes bounds the name of a lane.
const maxLaneBytes = 256

// Request is one frame of a client.
type Request struct {
	Kind string
	Lane string // stream_id; empty = none
	// Prewarm asks for an answer without content, to which others can refer.
	Prewarm bool
	// Body is what a request over HTTP would have for its body, streamed.
	Body []byte
}

// ParseRequest reads a client's frame. Its errors are answers: *fault.Error. If the frame
// tells its lane, the Request does so also with an error.
func ParseRequest(frame []byte) (Request, error) {
	r := Request{}
	if err := peek.Valid(frame); err != nil {
		return r, fault.BadRequest("invalid_json", "The message is not valid JSON.", err)
	}
	w := jsonwalk.Walk{JSON: frame}
	if !w.Enter('{') {
		return r, fault.BadRequest("invalid_json", "The message is not a JSON object.", nil)
	}
	var kind, lane, generate []byte
	body := make([]byte, 1, len(frame)+len(`,"stream":true}`))
	w.Members(func(name, value []byte) {
		switch string(name) {
		case "type":
			kind = value
		case "stream_id":
			lane = value
		case "generate":
			generate = value
		case "stream", "background": // the first is so by nature, the second cannot be
		default:
			body = appendMember(body, name, value)
		}
	})
	r.Body = finishBody(body)
	r.Prewarm = string(generate) == "false"
	var err error
	if r.Lane, err = laneOf(lane); err != nil {
		return r, err
	}
	if kind == nil || json.Unmarshal(kind, &r.Kind) != nil || r.Kind != Create && r.Kind != Append {
		e := fault.BadRequest("invalid_event_type", "The message's type must be response.create or response.append.", nil)
		e.Param = "type"
		return r, e
	}
	return r, nil
}

// finishBody makes an object of a byte of room and members, each behind a comma.
func finishBody(body []byte) []byte {
	body = append(body, `,"stream":true}`...)
	body = body[1:]
	body[0] = '{'
	return body
}

func laneOf(raw []byte) (string, error) {
	if raw == nil || string(raw) == "null" {
		return "", nil
	}
	var lane string
	if err := json.Unmarshal(raw, &lane); err != nil || lane == "" || len(lane) > maxLaneBytes {
		e := fault.BadRequest("invalid_stream_id", "The message's stream_id must be a short string.", errors.Join(err))
		e.Param = "stream_id"
		return "", e
	}
	return lane, nil
}

// Extend returns the body of a request that goes on from an earlier one with body before and
// the answer previous: as before, but for what body says itself, continuing that answer. If
// its input holds what a model has said, it is the whole conversation and continues nothing.
func Extend(before, body []byte, previous string) []byte {
	out := make([]byte, 1, len(before)+len(body)+len(previous)+48)
	said := map[string]bool{"input": true, "previous_response_id": true, "stream": true}
	var input []byte
	w := jsonwalk.Walk{JSON: body}
	w.Enter('{')
	w.Members(func(name, value []byte) {
		switch string(name) {
		case "previous_response_id", "stream":
			return
		case "input":
			input = value
		}
		said[string(name)] = true
		out = appendMember(out, name, value)
	})
	w = jsonwalk.Walk{JSON: before}
	w.Enter('{')
	w.Members(func(name, value []byte) {
		if !said[string(name)] {
			out = appendMember(out, name, value)
		}
	})
	if previous != "" && !isTranscript(input) {
		out = appendMember(out, []byte("previous_response_id"), peek.AppendString(nil, previous))
	}
	return finishBody(out)
}

// Settings returns what of a request's body an Extend needs.
func Settings(body []byte) []byte {
	out := make([]byte, 1, len(body))
	w := jsonwalk.Walk{JSON: body}
	w.Enter('{')
	w.Members(func(name, value []byte) {
		switch string(name) {
		case "input", "previous_response_id", "stream":
		default:
			out = appendMember(out, name, value)
		}
	})
	return bytes.Clone(finishBody(out))
}

// isTranscript reports whether an input holds what a model has said or asked for.
func isTranscript(input []byte) bool {
	w := jsonwalk.Walk{JSON: input}
	if !w.Enter('[') {
		return false
	}
	found := false
	for item := w.Next(); item != nil; item = w.Next() {
		m := jsonwalk.Walk{JSON: item}
		if !m.Enter('{') {
			continue
		}
		m.Members(func(name, value []byte) {
			switch string(name) + "=" + string(value) {
			case `role="assistant"`, `type="function_call"`, `type="custom_tool_call"`:
				found = true
			}
		})
	}
	return found
}

// ErrorFrame is an error as a client is told it, whatever it is.
func ErrorFrame(err error, lane string) []byte { return withLane(lane, fault.FrameOf(fault.As(err))) }

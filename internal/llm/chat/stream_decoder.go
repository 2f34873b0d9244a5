package chat

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// StreamDecoder implements llm.Codec. Only [DONE] ends a stream: a finish reason may come
// long before the last words of a sloppy upstream, and usage comes after it. A stream that
// just stops is cut off, whatever it said before.
func (Codec) StreamDecoder() llm.StreamDecoder { return newAssembly() }

// Decode implements llm.StreamDecoder.
func (a *assembly) Decode(out []llm.Event, name, data []byte) ([]llm.Event, error) {
	data = bytes.TrimSpace(data)
	switch {
	case a.over || len(data) == 0:
		return out, nil
	case string(data) == "[DONE]":
		return a.finish(out), nil
	case string(name) == "error":
		return a.fail(out, data), nil
	case data[0] == '[':
		return a.decodeArray(out, data)
	case data[0] != '{':
		return out, oddEvent(data)
	default:
		return a.decodeObject(out, data)
	}
}

// Close implements llm.StreamDecoder.
func (a *assembly) Close(out []llm.Event) []llm.Event { return out }

func (a *assembly) decodeObject(out []llm.Event, data []byte) ([]llm.Event, error) {
	if a.started && a.quick.chunk(data) {
		return a.words(out, &a.quick.delta), nil
	}
	return a.decodeThoroughly(out, data)
}

func (a *assembly) decodeThoroughly(out []llm.Event, data []byte) ([]llm.Event, error) {
	a.read = opening{chunk: chunk{Choices: a.read.Choices[:0]}}
	var err error
	if a.started {
		err = wire.Decode(data, &a.read.chunk)
	} else {
		err = wire.Decode(data, &a.read)
	}
	if err != nil {
		return out, err
	}
	if isError(a.read.Error) {
		return a.fail(out, data), nil
	}
	return a.take(out, &a.read), nil
}

// decodeArray takes events that come in an array, as Google's endpoint sends its errors.
func (a *assembly) decodeArray(out []llm.Event, data []byte) ([]llm.Event, error) {
	var elements []jsontext.Value
	if err := wire.Decode(data, &elements); err != nil {
		return out, err
	}
	for _, e := range elements {
		if e.Kind() != '{' || a.over {
			continue
		}
		var err error
		if out, err = a.decodeObject(out, e); err != nil {
			return out, err
		}
	}
	return out, nil
}

// oddEvent tells JSON that says nothing from what makes no sense.
func oddEvent(data []byte) error {
	if jsontext.Value(data).IsValid() {
		return nil
	}
	return &llm.DecodeError{Reason: "an event of the stream is not valid JSON"}
}

// isError reports whether a chunk's member of that name is one: some upstreams send an
// empty one with every chunk.
func isError(v jsontext.Value) bool {
	switch string(v) {
	case "", "null", `""`, "{}", "false", "[]":
		return false
	default:
		return true
	}
}

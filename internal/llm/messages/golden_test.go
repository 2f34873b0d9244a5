package messages

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/sse"
)

var update = flag.Bool("update", false, "write what is wanted in testdata")

// goldenMark parts a golden file into what goes in and what comes out.
const goldenMark = "\n=== "

// TestGolden holds the codec against testdata: a request with its canonical form and what
// the encoder makes of it again; an answer or a stream with its events and what a client of
// the format would get.
func TestGolden(t *testing.T) {
	t.Parallel()
	for kind, describe := range map[string]func(*testing.T, string) string{
		"request": describeRequest, "answer": describeAnswer, "stream": describeStream,
	} {
		files, err := filepath.Glob("testdata/" + kind + "_*.golden")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, name := range files {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".golden"), func(t *testing.T) {
				t.Parallel()
				content, err := os.ReadFile(name)
				require.NoError(t, err)
				given, want, _ := strings.Cut(string(content), goldenMark)
				got := describe(t, given)
				if *update {
					require.NoError(t, os.WriteFile(name, []byte(given+goldenMark+got), 0o600))
					return
				}
				require.Equal(t, want, got)
			})
		}
	}
}

func TestEncodeRequest_SaysTheKitchenSinkAsInTestdata(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]llm.Target{"vendor": {}, "compatible": {Compatible: true}} {
		file := "testdata/sink_" + name + ".golden"
		got := describeEncoded(t, kitchenSink(), target)
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
			continue
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), got)
	}
}

func describeRequest(t *testing.T, body string) string {
	t.Helper()
	r, err := Codec{}.DecodeRequest([]byte(body))
	require.NoError(t, err)
	return "canonical\n" + dump(t, r) + goldenMark[1:] + "encoded\n" + describeEncoded(t, r, llm.Target{})
}

func describeEncoded(t *testing.T, r *llm.Request, target llm.Target) string {
	t.Helper()
	body, lost, err := Codec{}.EncodeRequest(nil, r, target)
	require.NoError(t, err)
	return indent(t, body) + losses2text(lost)
}

func losses2text(lost []llm.Loss) string {
	var b strings.Builder
	for _, l := range lost {
		fmt.Fprintf(&b, "lost %s: %s\n", l.Path, l.Reason)
	}
	return b.String()
}

func describeAnswer(t *testing.T, body string) string {
	t.Helper()
	events, err := Codec{}.DecodeAnswer([]byte(body))
	require.NoError(t, err)
	return describeEvents(t, events) + goldenMark[1:] + "encoded\n" +
		indent(t, Codec{}.EncodeAnswer(nil, llm.Collect(events), aReply()))
}

func describeStream(t *testing.T, stream string) string {
	t.Helper()
	events := decodeStream(t, stream)
	return describeEvents(t, events) + goldenMark[1:] + "encoded\n" + string(encodeStream(events, aReply()))
}

func describeEvents(t *testing.T, events []llm.Event) string {
	t.Helper()
	names := map[llm.EventKind]string{
		llm.Start: "start", llm.PartStart: "part start", llm.Delta: "delta", llm.Signed: "signed",
		llm.PartEnd: "part end", llm.Finish: "finish", llm.Failed: "failed",
	}
	var b strings.Builder
	b.WriteString("events\n")
	for _, e := range events {
		e, kind := e, names[e.Kind]
		e.Kind = 0
		line, err := json.Marshal(plain(reflect.ValueOf(e)))
		require.NoError(t, err)
		fmt.Fprintf(&b, "%s %s\n", kind, line)
	}
	return b.String()
}

func aReply() llm.Reply {
	return llm.Reply{Request: &llm.Request{Model: "asked"}, ID: "req_1", CreatedAt: time.Unix(1_700_000_000, 0)}
}

// decodeStream reads a whole stream as the data plane would.
func decodeStream(t *testing.T, stream string) []llm.Event {
	t.Helper()
	events, err := tryStream([]byte(stream))
	require.NoError(t, err)
	return events
}

func tryStream(chunks ...[]byte) ([]llm.Event, error) {
	var (
		scanner sse.Scanner
		events  []llm.Event
		decoder = Codec{}.StreamDecoder()
	)
	take := func(e sse.Event) (err error) {
		events, err = decoder.Decode(events, e.Name, e.Data)
		return err
	}
	for _, chunk := range chunks {
		if err := scanner.Feed(chunk, take); err != nil {
			return events, err
		}
	}
	if err := scanner.Close(take); err != nil {
		return events, err
	}
	return decoder.Close(events), nil
}

func encodeStream(events []llm.Event, r llm.Reply) []byte {
	var out []byte
	encoder := Codec{}.StreamEncoder(r)
	for _, e := range events {
		out = encoder.Encode(out, e)
	}
	return out
}

func indent(t *testing.T, body []byte) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, body, "", "  "), string(body))
	return b.String() + "\n"
}

func dump(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(plain(reflect.ValueOf(v)), "", "  ")
	require.NoError(t, err)
	return string(text) + "\n"
}

// plain is a value without what says nothing, with the types of parts.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return plain(v.Elem())
	case reflect.Interface:
		return map[string]any{strings.TrimPrefix(v.Elem().Type().String(), "*llm."): plain(v.Elem())}
	case reflect.Struct:
		members := map[string]any{}
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				members[v.Type().Field(i).Name] = plain(f)
			}
		}
		return members
	case reflect.Slice:
		if raw, ok := v.Interface().(json.RawMessage); ok {
			return raw
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i))
		}
		return list
	default:
		return v.Interface()
	}
}

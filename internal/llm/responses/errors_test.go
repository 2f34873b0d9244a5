package responses

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

func TestDecodeError_ReadsWhatUpstreamsSend(t *testing.T) {
	t.Parallel()
	const unreadable = "The upstream failed and does not say why in a form that can be read."
	for body, want := range map[string]llm.Failure{
		`{"error":{"message":"Bad model.","type":"invalid_request_error","param":"model","code":"model_not_found"}}`: {Status: 418, Message: "Bad model.", Type: "invalid_request_error", Param: "model", Code: "model_not_found"},
		`{"error":{"message":"Rate limit reached. Please try again in 1m2.5s. Visit us.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`: {
			Status: 418, Message: "Rate limit reached. Please try again in 1m2.5s. Visit us.", Type: "tokens", Code: "rate_limit_exceeded", RetryAfter: 62500 * time.Millisecond,
		},
		`{"error":{"message":"try again in 20ms","code":429}}`:                                 {Status: 418, Message: "try again in 20ms", Code: "429", RetryAfter: 20 * time.Millisecond},
		`{"error":{"type":"usage_limit_reached","message":"Limit.","resets_in_seconds":90.5}}`: {Status: 418, Message: "Limit.", Type: "usage_limit_reached", RetryAfter: 90500 * time.Millisecond},
		`{"error":{"message":"m","details":{"a":1}}}`:                                          {Status: 418, Message: "m", Details: []byte(`{"a":1}`)},
		`{"error":"plain"}`:             {Status: 418, Message: "plain"},
		`{"error":{"code":"x"}}`:        {Status: 418, Message: "The upstream failed: x.", Code: "x"},
		`{"detail":"Not Found"}`:        {Status: 418, Message: "Not Found"},
		`{"detail":[{"loc":["body"]}]}`: {Status: 418, Message: `[{"loc":["body"]}]`},
		`{"message":"m","code":"c"}`:    {Status: 418, Message: "m", Code: "c"},
		`upstream is down` + "\nmore":   {Status: 418, Message: "upstream is down"},
		`<html>x</html>`:                {Status: 418, Message: unreadable},
		`{"error":`:                     {Status: 418, Message: unreadable},
		`{}`:                            {Status: 418, Message: unreadable},
		`{"error":null}`:                {Status: 418, Message: unreadable},
		``:                              {Status: 418, Message: unreadable},
		"\xff\xfe":                      {Status: 418, Message: ""},
		`{"error":{"message":"again: try again in 9999999999h"}}`: {Status: 418, Message: "again: try again in 9999999999h"},
	} {
		require.Equal(t, want, *Codec{}.DecodeError(418, []byte(body)), body)
	}
}

func TestDecodeError_TellsTheStatusOfEvents(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`{"type":"error","code":"rate_limit_exceeded","message":"m"}`:                              429,
		`{"type":"error","code":"server_error","message":"m"}`:                                     500,
		`{"type":"error","error":{"type":"service_unavailable_error","message":"m"}}`:              503,
		`{"type":"error","status":401,"error":{"code":"whatever","message":"m"}}`:                  401,
		`{"type":"error","status_code":"409","message":"m"}`:                                       409,
		`{"type":"response.failed","response":{"error":{"code":"invalid_prompt","message":"m"}}}`:  400,
		`{"type":"response.failed","response":{"error":{"code":"image_too_large","message":"m"}}}`: 400,
		`{"type":"error","code":"previous_response_not_found","message":"m"}`:                      404,
		`{"type":"error","code":"invalid_api_key","message":"m"}`:                                  401,
		`{"type":"error","message":"m","status":7}`:                                                0,
	} {
		f := Codec{}.DecodeError(0, []byte(body))
		require.Equal(t, want, f.Status, body)
		require.Equal(t, "m", f.Message)
		require.NotEqual(t, "error", f.Type)
	}
}

func TestDecodeAnswer_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]*llm.DecodeError{
		`x`:                               {Reason: "not valid JSON"},
		`{}`:                              {Path: "output", Reason: "missing"},
		`{"status":"queued","output":[]}`: {Path: "status", Reason: "the answer is not finished"},
		`{"output":{}}`:                   {Path: "output", Reason: "a value of this type is not expected here: an object"},
		`{"output":[{"type":"message","content":"x"}]}`: {Path: "output[0].content", Reason: "a value of this type is not expected here: a string"},
	} {
		_, err := Codec{}.DecodeAnswer([]byte(body))
		require.Equal(t, want, err, body)
	}
	events, err := Codec{}.DecodeAnswer([]byte(`{"status":"failed","error":{"code":"server_error","message":"m"},"output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]}`))
	require.NoError(t, err)
	a := llm.Collect(events)
	require.Equal(t, []llm.Part{say("a")}, a.Parts)
	require.Equal(t, &llm.Failure{Status: 500, Code: "server_error", Message: "m"}, a.Failure)
}

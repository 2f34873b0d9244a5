package chat

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// DecodeError implements llm.Codec.
func (Codec) DecodeError(status int, body []byte) *llm.Failure { return failureOf(status, body) }

// errorBody is what upstreams say of an error: in a member of that name, which may be a
// text, or at the top.
type errorBody struct {
	errorMembers
	Error  errorMember    `json:"error"`
	Detail jsontext.Value `json:"detail"` // FastAPI's: a text or an array
}

type errorMembers struct {
	Message      loose          `json:"message"`
	Type         loose          `json:"type"`
	Code         word           `json:"code"`
	Param        loose          `json:"param"`
	Status       word           `json:"status"` // Google's type
	Details      jsontext.Value `json:"details"`
	Metadata     jsontext.Value `json:"metadata"` // OpenRouter's
	RetryAfter   seconds        `json:"retry_after"`
	RetryAfterMS seconds        `json:"retry_after_ms"`
	ResetsIn     seconds        `json:"resets_in_seconds"`
}

type errorMember struct{ errorMembers }

func (m *errorMember) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*m = errorMember{}
	switch dec.PeekKind() {
	case '"':
		return m.Message.UnmarshalJSONFrom(dec)
	case '{':
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		return wire.Decode(raw, &m.errorMembers)
	default:
		return dec.SkipValue()
	}
}

// word is a string or a number.
type word string

func (w *word) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '0' {
		return (*loose)(w).UnmarshalJSONFrom(dec)
	}
	raw, err := dec.ReadValue()
	*w = word(raw)
	return err
}

// seconds is a number, or one in a string.
type seconds float64

func (s *seconds) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*s = 0
	var w word
	if err := w.UnmarshalJSONFrom(dec); err != nil {
		return err
	}
	if f, err := strconv.ParseFloat(string(w), 64); err == nil && f > 0 && !math.IsNaN(f) {
		*s = seconds(f)
	}
	return nil
}

// longest is the longest wait that is told.
const longest = 365 * 24 * time.Hour

func (s seconds) of(unit time.Duration) time.Duration {
	return time.Duration(min(float64(s)*float64(unit), float64(longest)))
}

// failureOf reads an error's body; status 0 = of an event.
func failureOf(status int, body []byte) *llm.Failure {
	f := &llm.Failure{Status: status}
	var in errorBody
	if wire.Decode(firstOf(body), &in) != nil {
		f.Message = plainMessage(status, body)
		return f
	}
	m := in.Error.errorMembers
	if m.Message == "" && m.Type == "" && m.Code == "" {
		m = in.errorMembers
	}
	f.Message, f.Type, f.Code, f.Param = string(m.Message), string(m.Type), string(m.Code), string(m.Param)
	if _, err := strconv.Atoi(string(m.Status)); f.Type == "" && err != nil {
		f.Type = string(m.Status)
	}
	if code, err := strconv.Atoi(f.Code); err == nil && code >= 400 && code < 600 {
		// A code that only repeats the status says nothing finer.
		if f.Status == 0 {
			f.Status = code
		}
		f.Code = ""
	}
	f.Details = rawOf(m.Details)
	if f.Details == nil {
		f.Details = rawOf(m.Metadata)
	}
	if f.Message == "" {
		f.Message = detailMessage(in.Detail)
	}
	if f.Message == "" {
		f.Message = plainMessage(status, body)
	}
	f.RetryAfter = m.retryAfter()
	return f
}

// firstOf returns the first element of an array, as which Google's endpoint sends errors,
// or else body.
func firstOf(body []byte) []byte {
	var list []jsontext.Value
	if len(body) > 0 && strings.HasPrefix(strings.TrimSpace(string(body[:min(len(body), 64)])), "[") &&
		wire.Decode(body, &list) == nil && len(list) > 0 {
		return list[0]
	}
	return body
}

// detailMessage reads FastAPI's detail.
func detailMessage(detail jsontext.Value) string {
	var text string
	if wire.Decode(detail, &text) == nil {
		return text
	}
	var list []struct {
		Message loose `json:"msg"`
	}
	if wire.Decode(detail, &list) == nil && len(list) > 0 {
		return string(list[0].Message)
	}
	return ""
}

// inWords finds the wait in messages like "Please try again in 1m7.66s." and "in 20ms".
var inWords = regexp.MustCompile(`(?i)(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)?(?:ms|s|m|h))+)`)

func (m *errorMembers) retryAfter() time.Duration {
	switch {
	case m.RetryAfterMS > 0:
		return m.RetryAfterMS.of(time.Millisecond)
	case m.RetryAfter > 0:
		return m.RetryAfter.of(time.Second)
	case m.ResetsIn > 0:
		return m.ResetsIn.of(time.Second)
	}
	if wait := delayIn(m.Details); wait > 0 {
		return wait
	}
	if found := inWords.FindStringSubmatch(string(m.Message)); found != nil {
		return parsed(found[1])
	}
	return 0
}

// delayIn reads Google's RetryInfo.
func delayIn(details jsontext.Value) time.Duration {
	var list []struct {
		RetryDelay loose `json:"retryDelay"`
	}
	if wire.Decode(details, &list) != nil {
		return 0
	}
	for _, d := range list {
		if wait := parsed(string(d.RetryDelay)); wait > 0 {
			return wait
		}
	}
	return 0
}

func parsed(text string) time.Duration {
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0
	}
	return min(wait, longest)
}

// maxPlain is how much of a body that is no JSON is told.
const maxPlain = 300

// plainMessage says something of a body in which nobody says anything.
func plainMessage(status int, body []byte) string {
	text := strings.TrimSpace(strings.ToValidUTF8(string(body[:min(len(body), maxPlain+utf8.UTFMax)]), ""))
	odd := func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) }
	if text != "" && !strings.ContainsAny(text[:1], "<{[") && strings.IndexFunc(text, odd) < 0 && len(text) <= maxPlain {
		return text
	}
	if status == 0 {
		return "The upstream reported an error without saying which."
	}
	if name := http.StatusText(status); name != "" {
		return fmt.Sprintf("The upstream answered %d %s and no error that can be read.", status, name)
	}
	return fmt.Sprintf("The upstream answered %d and no error that can be read.", status)
}

// appendFailure appends an error as the format tells it.
func appendFailure(dst []byte, f *llm.Failure) []byte {
	if f == nil {
		f = &llm.Failure{}
	}
	w := answerWriter{writer: writerTo(dst)}
	w.raw(`{"error":{`)
	w.Name("message")
	if f.Message == "" {
		w.str("The upstream's answer broke off.")
	} else {
		w.str(f.Message)
	}
	w.Name("type")
	if f.Type == "" {
		w.str("server_error")
	} else {
		w.str(f.Type)
	}
	w.TextOrNull("param", f.Param)
	w.TextOrNull("code", f.Code)
	w.raw("}}")
	return w.B
}

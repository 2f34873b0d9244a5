package fault

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/understudyhq/understudy/http/tap"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// The bodies of the formats' errors. The code is the same in all of them, and the gateway's
// own word unless an upstream has failed.
type (
	openAIBody struct {
		Error openAIError `json:"error"`
	}
	openAIError struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Code    *string `json:"code"`
		Param   *string `json:"param"`
		*Cooldown
	}
	anthropicBody struct {
		Type      string         `json:"type"`
		Error     anthropicError `json:"error"`
		RequestID string         `json:"request_id"`
	}
	anthropicError struct {
		Type    string   `json:"type"`
		Message string   `json:"message"`
		Code    string   `json:"code,omitempty"`
		Details *details `json:"details,omitempty"`
		*Cooldown
	}
	details struct {
		ErrorCode string `json:"error_code"`
	}
	geminiBody struct {
		Error geminiError `json:"error"`
	}
	geminiError struct {
		Code    int            `json:"code"`
		Message string         `json:"message"`
		Status  string         `json:"status"`
		Details []geminiDetail `json:"details,omitempty"`
		*Cooldown
	}
	geminiDetail struct {
		Type       string `json:"@type"`
		Reason     string `json:"reason,omitempty"`
		Domain     string `json:"domain,omitempty"`
		RetryDelay string `json:"retryDelay,omitempty"`
	}
)

// Body is e as a client of format f expects it.
func Body(f providers.Format, e *Error, requestID string) []byte {
	switch f {
	case providers.Anthropic:
		body := anthropicBody{
			Type:      "error",
			Error:     anthropicError{Type: anthropicType(e), Message: e.Message, Code: e.Code, Cooldown: e.Cooldown},
			RequestID: requestID,
		}
		if e.ErrorCode != "" {
			body.Error.Details = &details{e.ErrorCode}
		}
		return Encode(body)
	case providers.Gemini:
		return Encode(geminiBody{Error: newGeminiError(e)})
	default:
		return Encode(openAIBody{Error: newOpenAIError(e)})
	}
}

func newOpenAIError(e *Error) openAIError {
	return openAIError{
		Message: e.Message, Type: openAIType(e), Code: orNull(openAICode(e)), Param: orNull(e.Param), Cooldown: e.Cooldown,
	}
}

// orNull is s, or JSON's null for "".
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func newGeminiError(e *Error) geminiError {
	var details []geminiDetail
	if e.Code != "" {
		details = append(details, geminiDetail{
			Type: "type.googleapis.com/google.rpc.ErrorInfo", Reason: e.Code, Domain: "understudy",
		})
	}
	if e.RetryAfter > 0 {
		details = append(details, geminiDetail{
			Type:       "type.googleapis.com/google.rpc.RetryInfo",
			RetryDelay: strconv.FormatInt(WholeSeconds(e.RetryAfter), 10) + "s",
		})
	}
	return geminiError{
		Code: e.Status, Message: e.Message, Status: geminiStatus(e.Status), Details: details, Cooldown: e.Cooldown,
	}
}

// Encode marshals an answer of the gateway's own, whose type cannot fail to.
func Encode(body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Errorf("Encode %T: %w", body, err))
	}
	return text
}

// failedResponse is the event that ends a Responses stream in failure.
type failedResponse struct {
	Type           string         `json:"type"`
	SequenceNumber int64          `json:"sequence_number"`
	Response       responseObject `json:"response"`
}

type responseObject struct {
	ID     string        `json:"id"`
	Object string        `json:"object"`
	Status string        `json:"status"`
	Error  responseError `json:"error"`
	Output []struct{}    `json:"output"`
}

type responseError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// responsesErrorEvent is the bare error event of a Responses stream. Codex does not
// understand it, so it is only for streams that have told no response's id.
type responsesErrorEvent struct {
	Type           string  `json:"type"`
	Code           string  `json:"code"`
	Message        string  `json:"message"`
	Param          *string `json:"param"`
	SequenceNumber int64   `json:"sequence_number"`
}

// Event is e as an event stream of format f tells it.
func Event(f providers.Format, e *Error, requestID string, seen tap.Progress) []byte {
	switch f {
	case providers.Anthropic:
		return sse.Append(nil, "error", Body(f, e, requestID))
	case providers.OpenAIResponses:
		if seen.ResponseID == "" {
			return sse.Append(nil, "error", Encode(responsesErrorEvent{
				Type: "error", Code: responsesCode(e), Message: e.Message, SequenceNumber: seen.Sequence,
			}))
		}
		return sse.Append(nil, "response.failed", Encode(failedResponse{
			Type: "response.failed", SequenceNumber: seen.Sequence,
			Response: responseObject{
				ID: seen.ResponseID, Object: "response", Status: "failed",
				Error:  responseError{Code: responsesCode(e), Message: e.Message},
				Output: []struct{}{},
			},
		}))
	case providers.Gemini:
		// Google's SDKs look for a blank line of LF before one of CRLF: an event that
		// ends in the first would swallow the upstream's, which end in the second.
		return append(append([]byte("data: "), Body(f, e, requestID)...), "\r\n\r\n"...)
	default:
		return sse.Append(nil, "", Body(f, e, requestID))
	}
}

// Element is e as the last element of Gemini's JSON array, with the array's end.
func Element(e *Error, requestID string, seen tap.Progress) []byte {
	opening := "[" // nothing has been sent but, perhaps, white space
	if seen.Elements > 0 {
		opening = ",\n"
	}
	element := append([]byte(opening), Body(providers.Gemini, e, requestID)...)
	return append(element, "\n]"...)
}

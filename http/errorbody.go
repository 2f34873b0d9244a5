package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// The bodies of the formats' errors. The code is the gateway's own word in all of them.
type (
	openAIBody struct {
		Error openAIError `json:"error"`
	}
	openAIError struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Code    string  `json:"code"`
		Param   *string `json:"param"`
		*cooldown
	}
	anthropicBody struct {
		Type      string         `json:"type"`
		Error     anthropicError `json:"error"`
		RequestID string         `json:"request_id"`
	}
	anthropicError struct {
		Type    string `json:"type"`
		Message string `json:"message"`
		Code    string `json:"code"`
		*cooldown
	}
	geminiBody struct {
		Error geminiError `json:"error"`
	}
	geminiError struct {
		Code    int            `json:"code"`
		Message string         `json:"message"`
		Status  string         `json:"status"`
		Details []geminiDetail `json:"details"`
		*cooldown
	}
	geminiDetail struct {
		Type       string `json:"@type"`
		Reason     string `json:"reason,omitempty"`
		Domain     string `json:"domain,omitempty"`
		RetryDelay string `json:"retryDelay,omitempty"`
	}
)

// errorBody is e as a client of format f expects it.
func errorBody(f providers.Format, e *apiError, requestID string) []byte {
	switch f {
	case providers.Anthropic:
		return encode(anthropicBody{
			Type:      "error",
			Error:     anthropicError{Type: anthropicType(e), Message: e.message, Code: e.code, cooldown: e.cooldown},
			RequestID: requestID,
		})
	case providers.Gemini:
		return encode(geminiBody{Error: newGeminiError(e)})
	default:
		return encode(openAIBody{Error: newOpenAIError(e)})
	}
}

func newOpenAIError(e *apiError) openAIError {
	body := openAIError{Message: e.message, Type: openAIType(e.status), Code: e.code, cooldown: e.cooldown}
	if e.param != "" {
		body.Param = &e.param
	}
	return body
}

func newGeminiError(e *apiError) geminiError {
	details := []geminiDetail{{
		Type: "type.googleapis.com/google.rpc.ErrorInfo", Reason: e.code, Domain: "understudy",
	}}
	if e.retryAfter > 0 {
		details = append(details, geminiDetail{
			Type:       "type.googleapis.com/google.rpc.RetryInfo",
			RetryDelay: strconv.FormatInt(wholeSeconds(e.retryAfter), 10) + "s",
		})
	}
	return geminiError{
		Code: e.status, Message: e.message, Status: geminiStatus(e.status), Details: details, cooldown: e.cooldown,
	}
}

func openAIType(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "authentication_error"
	case status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case status >= http.StatusInternalServerError:
		return "server_error"
	default:
		return "invalid_request_error"
	}
}

func anthropicType(e *apiError) string {
	switch e.status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusGatewayTimeout:
		return "timeout_error"
	case http.StatusServiceUnavailable:
		if e.final {
			return "api_error" // not a matter of load
		}
		return "overloaded_error"
	default:
		if e.status >= http.StatusInternalServerError {
			return "api_error"
		}
		return "invalid_request_error"
	}
}

func geminiStatus(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusTooManyRequests:
		return "RESOURCE_EXHAUSTED"
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return "UNIMPLEMENTED"
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return "UNAVAILABLE"
	case http.StatusGatewayTimeout:
		return "DEADLINE_EXCEEDED"
	case http.StatusInternalServerError:
		return "INTERNAL"
	default:
		return "INVALID_ARGUMENT"
	}
}

// encode marshals a body of this package, whose types cannot fail to.
func encode(body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Errorf("encode %T: %w", body, err))
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

// errorEvent is e as an event stream of format f tells it.
func errorEvent(f providers.Format, e *apiError, requestID string, seen progress) []byte {
	switch f {
	case providers.Anthropic:
		return sse.Append(nil, "error", errorBody(f, e, requestID))
	case providers.OpenAIResponses:
		if seen.responseID == "" {
			return sse.Append(nil, "error", encode(responsesErrorEvent{
				Type: "error", Code: e.code, Message: e.message, SequenceNumber: seen.sequence,
			}))
		}
		return sse.Append(nil, "response.failed", encode(failedResponse{
			Type: "response.failed", SequenceNumber: seen.sequence,
			Response: responseObject{
				ID: seen.responseID, Object: "response", Status: "failed",
				Error:  responseError{Code: e.code, Message: e.message},
				Output: []struct{}{},
			},
		}))
	default:
		return sse.Append(nil, "", errorBody(f, e, requestID))
	}
}

// errorElement is e as the last element of Gemini's JSON array, with the array's end.
func errorElement(e *apiError, requestID string, seen progress) []byte {
	opening := "[" // nothing has been sent but, perhaps, white space
	if seen.elements > 0 {
		opening = ",\n"
	}
	element := append([]byte(opening), errorBody(providers.Gemini, e, requestID)...)
	return append(element, "\n]"...)
}

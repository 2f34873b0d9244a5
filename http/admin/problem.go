package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
)

// ErrNotFound means that what a request names is not there.
var ErrNotFound = errors.New("not found")

// problem is an error that knows how it is answered.
type problem struct {
	status  int
	code    string
	message string
	at      []problemAt
}

// Error is part of error.
func (p *problem) Error() string { return p.message }

// Conflict returns an error for a change that cannot be made as things are. Its message is told
// to whoever asked for it, so it must hold no secret.
func Conflict(message string) error {
	return &problem{status: http.StatusConflict, code: "conflict", message: message}
}

func badRequest(code, message string) *problem {
	return &problem{status: http.StatusBadRequest, code: code, message: message}
}

// The body of an error.
type (
	errorAnswer struct {
		Error errorBody `json:"error"`
	}
	errorBody struct {
		Code     string      `json:"code"`
		Message  string      `json:"message"`
		Problems []problemAt `json:"problems,omitempty" description:"What is wrong with a configuration or a credential."`
	}
	problemAt struct {
		File    string `json:"file,omitempty"`
		Line    int    `json:"line,omitempty" description:"Counted from 1."`
		Path    string `json:"path,omitempty" description:"YAML path, such as providers[0].name."`
		Problem string `json:"problem"`
	}
)

// asProblem says how an error is answered. What is not known is told in the log only.
func asProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	var one *config.Error
	var bad config.Errors
	switch {
	case errors.Is(err, ErrNotFound):
		return &problem{status: http.StatusNotFound, code: "not_found", message: "There is no such thing here."}
	case errors.As(err, &bad):
		return invalid(bad)
	case errors.As(err, &one):
		return invalid(config.Errors{one})
	case errors.Is(err, actors.ErrStopped), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &problem{status: http.StatusServiceUnavailable, code: "unavailable", message: "The engine does not answer."}
	default:
		return &problem{status: http.StatusInternalServerError, code: "internal", message: "Something went wrong; the log says what."}
	}
}

func invalid(bad config.Errors) *problem {
	p := &problem{status: http.StatusUnprocessableEntity, code: "invalid_configuration", message: "The configuration is not valid. Nothing was changed."}
	for _, e := range bad {
		p.at = append(p.at, problemAt{File: e.File, Line: e.Line, Path: e.Path, Problem: e.Problem})
	}
	return p
}

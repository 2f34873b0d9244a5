// Package wire reads and writes the JSON of the wire formats for their codecs: leniently,
// as clients and upstreams are, and in one pass.
//
// It stands on go-json-experiment/json, which is encoding/json/v2 ahead of its release: it
// decodes into types at about twice the speed of encoding/json, keeps raw members raw, and
// says where an error lies.
package wire

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
)

// lenient takes what encoding/json would take: of several members of one name the last,
// and invalid UTF-8 with replacement characters.
func lenient() json.Options {
	return json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// Decode reads body, which must be one JSON value, into v. Its errors are *llm.DecodeError
// and tell a client where the trouble is.
func Decode(body []byte, v any) error {
	err := json.Unmarshal(body, v, lenient())
	if err == nil {
		return nil
	}
	var (
		semantic  *json.SemanticError
		syntactic *jsontext.SyntacticError
	)
	switch {
	case errors.As(err, &syntactic):
		return &llm.DecodeError{Path: dotted(syntactic.JSONPointer), Reason: "not valid JSON"}
	case errors.As(err, &semantic):
		return &llm.DecodeError{Path: dotted(semantic.JSONPointer), Reason: mismatch(semantic)}
	default:
		return &llm.DecodeError{Reason: "not valid JSON"}
	}
}

func mismatch(e *json.SemanticError) string {
	if e.JSONKind == 0 {
		return "cannot be read"
	}
	return "a value of this type is not expected here: " + kindName(e.JSONKind)
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	case '{':
		return "an object"
	case '[':
		return "an array"
	default:
		return "null"
	}
}

// Path turns a JSON pointer into the form that the vendors' errors use: messages[0].content.
// What is longer than a client would read ends in an ellipsis.
func Path(p jsontext.Pointer) string { return dotted(p) }

// maxPathBytes bounds the paths of errors: a hostile body may nest 10,000 deep, or have names
// of megabytes.
const maxPathBytes = 160

func dotted(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if b.Len()+len(token) > maxPathBytes {
			b.WriteString("…")
			break
		}
		if _, err := strconv.Atoi(token); err == nil && b.Len() > 0 {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	return b.String()
}

// Append appends v, whose type must be able to be JSON, to dst. Raw members that are no
// JSON become null. It does not change v.
func Append(dst []byte, v any) []byte {
	b, err := json.Marshal(v, lenient(), json.Deterministic(true))
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, b...)
}

// AppendString appends s as a JSON string to dst.
func AppendString(dst []byte, s string) []byte {
	dst, err := jsontext.AppendQuote(dst, s)
	if err != nil { // invalid UTF-8, which has become replacement characters
		return dst
	}
	return dst
}

// IsObject reports whether raw is a valid JSON object.
func IsObject(raw []byte) bool {
	v := jsontext.Value(raw)
	return v.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) && v.Kind() == '{'
}

package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxBodyBytes bounds the body of a request to the management API.
const maxBodyBytes = 4 << 20

// Pages of lists.
const (
	standardPage = 100
	maxPage      = 1000
)

// readAll returns the body of a request.
func (c *call) readAll() ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.echo.Response(), c.r.Body, maxBodyBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &problem{status: http.StatusRequestEntityTooLarge, code: "request_too_large", message: fmt.Sprintf("The body is larger than %d bytes.", maxBodyBytes)}
	case err != nil:
		return nil, badRequest("unreadable_body", "The body could not be read.")
	}
	return body, nil
}

// decode reads the body into v, a pointer to a struct. Whatever v does not have is refused.
func (c *call) decode(v any) error {
	body, err := c.readAll()
	if err != nil {
		return err
	}
	return decode(body, v)
}

func decode(body []byte, v any) error {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return badRequest("invalid_json", "The body must be one JSON object, without a member twice.")
	}
	if unknown := unknownMembers(members, reflect.TypeOf(v).Elem()); len(unknown) > 0 {
		return badRequest("unknown_field", "Unknown: "+strings.Join(unknown, ", ")+".")
	}
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	var wrong *json.SemanticError
	if errors.As(err, &wrong) {
		path := strings.ReplaceAll(strings.TrimPrefix(string(wrong.JSONPointer), "/"), "/", ".")
		if errors.Is(err, json.ErrUnknownName) {
			return badRequest("unknown_field", "Unknown: "+path+".")
		}
		return badRequest("invalid_field", path+" is not "+nameOfType(wrong.GoType)+".")
	}
	if err != nil {
		return badRequest("invalid_json", "The body is not what this route takes.")
	}
	return nil
}

func unknownMembers(members map[string]jsontext.Value, t reflect.Type) []string {
	var unknown []string
	for name := range members {
		known := false
		for i := range t.NumField() {
			own, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			known = known || own == name
		}
		if !known {
			unknown = append(unknown, strconv.Quote(name))
		}
	}
	slices.Sort(unknown)
	return unknown
}

func nameOfType(t reflect.Type) string {
	if t == nil {
		return "as it must be"
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}

// checkQuery refuses parameters that a route does not have.
func (c *call) checkQuery(rt route) error {
	var known []string
	if rt.query != nil {
		t := reflect.TypeOf(rt.query)
		for i := range t.NumField() {
			known = append(known, t.Field(i).Tag.Get("query"))
		}
	}
	for name := range c.query {
		if !slices.Contains(known, name) {
			return badRequest("unknown_parameter", "Unknown parameter: "+strconv.Quote(name)+".")
		}
	}
	return nil
}

// limit returns how many elements a page is to have.
func (c *call) limit() (int, error) {
	text := c.query.Get("limit")
	if text == "" {
		return standardPage, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		return 0, badRequest("invalid_parameter", "limit must be a number from 1 to "+strconv.Itoa(maxPage)+".")
	}
	return n, nil
}

// pageOf returns the part of a sorted list that a request asks for: limit elements after the
// one called after, which need not be there any more. next names the last of them if others
// follow.
func pageOf[T any](c *call, all []T, name func(T) string) (page []T, next string, err error) {
	limit, err := c.limit()
	if err != nil {
		return nil, "", err
	}
	if after := c.query.Get("after"); after != "" {
		i, found := slices.BinarySearchFunc(all, after, func(t T, after string) int { return strings.Compare(name(t), after) })
		if found {
			i++
		}
		all = all[i:]
	}
	if len(all) > limit {
		return all[:limit], name(all[limit-1]), nil
	}
	return all, "", nil
}

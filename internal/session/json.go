package session

import (
	"unsafe"

	"github.com/tidwall/gjson"
)

// parse reads a raw JSON value without copying it. What it returns must not outlive the
// body, and nothing here does: ids and texts end in a hash.
func parse(raw []byte) gjson.Result {
	return gjson.Parse(unsafe.String(unsafe.SliceData(raw), len(raw)))
}

// member returns the member name of a JSON object, nothing if v is no object. The Str of
// a result is empty unless it is a string.
func member(v gjson.Result, name string) gjson.Result {
	if !v.IsObject() {
		return gjson.Result{}
	}
	return v.Get(name)
}

package sample

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

func TestJSON_FitsTheSchema(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ schema, want string }{
		"string":            {`{"type":"string"}`, `"sample"`},
		"no type":           {`{}`, `"sample"`},
		"integer":           {`{"type":"integer"}`, `1`},
		"minimum":           {`{"type":"number","minimum":18}`, `18`},
		"boolean":           {`{"type":"boolean"}`, `true`},
		"null":              {`{"type":"null"}`, `null`},
		"first type":        {`{"type":["integer","null"]}`, `1`},
		"enum":              {`{"type":"string","enum":["a","b"]}`, `"a"`},
		"const":             {`{"const":{"x":1}}`, `{"x":1}`},
		"default":           {`{"type":"integer","default":7}`, `7`},
		"array":             {`{"type":"array","items":{"type":"boolean"}}`, `[true]`},
		"object in order":   {`{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"integer"}}}`, `{"z":"sample","a":1}`},
		"object, no type":   {`{"properties":{"a":{}}}`, `{"a":"sample"}`},
		"empty object":      {`{"type":"object"}`, `{}`},
		"escaped name":      {`{"type":"object","properties":{"a\"b":{}}}`, `{"a\"b":"sample"}`},
		"Gemini's dialect":  {`{"type":"OBJECT","properties":{"a":{"type":"ARRAY","items":{"type":"INTEGER"}}}}`, `{"a":[1]}`},
		"any of":            {`{"anyOf":[{"type":"integer"},{"type":"string"}]}`, `1`},
		"one of":            {`{"oneOf":[{"type":"boolean"}]}`, `true`},
		"all of":            {`{"allOf":[{"type":"null"}]}`, `null`},
		"reference":         {`{"$defs":{"a.b":{"type":"integer"}},"type":"object","properties":{"x":{"$ref":"#/$defs/a.b"}}}`, `{"x":1}`},
		"reference nowhere": {`{"$ref":"https://example.com/x"}`, `"sample"`},
	}
	for name, tt := range tests {
		require.Equal(t, tt.want, JSON(gjson.Parse(tt.schema)), name)
	}
}

func TestJSON_EndsOnEndlessSchemas(t *testing.T) {
	t.Parallel()
	self := JSON(gjson.Parse(`{"$ref":"#"}`))
	require.Equal(t, "null", self)

	list := JSON(gjson.Parse(`{"type":"object","properties":{"next":{"$ref":"#"}}}`))
	require.True(t, json.Valid([]byte(list)))
	require.Equal(t, maxDepth/2+1, strings.Count(list, "next"))

	// Ten members, each of which is the whole again.
	var members []string
	for _, name := range strings.Split("abcdefghij", "") {
		members = append(members, `"`+name+`":{"$ref":"#"}`)
	}
	wide := JSON(gjson.Parse(`{"type":"object","properties":{` + strings.Join(members, ",") + `}}`))
	require.True(t, json.Valid([]byte(wide)))
	require.Less(t, len(wide), 2*maxBytes)
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"type":"array","items":{"enum":[1]}},"b":{"$ref":"#/properties/a"}}}`)
	f.Add(`{"type":[],"anyOf":[{"$ref":"#/x/0"}],"x":[{"default":null}]}`)
	f.Fuzz(func(t *testing.T, schema string) {
		if !json.Valid([]byte(schema)) {
			t.Skip()
		}
		got := JSON(gjson.Parse(schema))
		require.True(t, json.Valid([]byte(got)), "%q", got)
		require.Equal(t, got, JSON(gjson.Parse(schema)))
	})
}

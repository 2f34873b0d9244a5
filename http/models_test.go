package httpapi

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

func modelServer(allowed ...string) *Server {
	settings := live()
	settings.APIKeys = []config.APIKey{{Key: "k", Models: allowed}}
	pool := newPool()
	pool.list = []actors.ModelInfo{{Name: "z", Provider: "p"}, {Name: `team/a"1`, Provider: "q"}, {Name: "b", Provider: "p"}}
	return newTestServer(pool, settings)
}

func TestListModels_SpeaksThreeDialects(t *testing.T) {
	t.Parallel()
	openAI := `{"object":"list","data":[{"id":"b","object":"model","created":0,"owned_by":"p"},{"id":"team/a\"1","object":"model","created":0,"owned_by":"q"},{"id":"z","object":"model","created":0,"owned_by":"p"}]}`
	anthropic := `{"data":[
		{"type":"model","id":"b","display_name":"b","created_at":"1970-01-01T00:00:00Z"},
		{"type":"model","id":"team/a\"1","display_name":"team/a\"1","created_at":"1970-01-01T00:00:00Z"},
		{"type":"model","id":"z","display_name":"z","created_at":"1970-01-01T00:00:00Z"}],
		"has_more":false,"first_id":"b","last_id":"z"}`
	methods := `["generateContent","streamGenerateContent","countTokens","embedContent","batchEmbedContents"]`
	gemini := `{"models":[{"name":"models/b","displayName":"b","supportedGenerationMethods":` + methods + `},
		{"name":"models/team/a\"1","displayName":"team/a\"1","supportedGenerationMethods":` + methods + `},
		{"name":"models/z","displayName":"z","supportedGenerationMethods":` + methods + `}]}`
	tests := map[string]struct {
		target string
		header []string
		want   string
	}{
		"OpenAI":                   {"/v1/models", []string{"Authorization", "Bearer k"}, openAI},
		"Anthropic":                {"/v1/models", []string{"Authorization", "Bearer k", "Anthropic-Version", "2026-10-21"}, anthropic},
		"Anthropic by its own key": {"/v1/models", []string{"X-Api-Key", "k", "Anthropic-Version", "2023-06-01"}, anthropic},
		"Gemini by header":         {"/v1/models", []string{"X-Goog-Api-Key", "k"}, gemini},
		"Gemini by query":          {"/v1/models?key=k", nil, gemini},
		"Gemini's own route":       {"/v1beta/models", []string{"Authorization", "Bearer k"}, gemini},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := send(modelServer(), "GET", tt.target, "", tt.header...)
			require.Equal(t, 200, w.Code)
			require.JSONEq(t, tt.want, w.Body.String())
		})
	}
}

func TestListModels_ShowsWhatTheKeyAllows(t *testing.T) {
	t.Parallel()
	ids := func(s *Server) string {
		return gjson.GetBytes(send(s, "GET", "/v1/models", "", "X-Api-Key", "k").Body.Bytes(), "data.#.id").Raw
	}
	require.Equal(t, `["b","z"]`, ids(modelServer("b", "z*")))
	require.Equal(t, `[]`, ids(modelServer("nothing")))
	w := send(modelServer("nothing"), "GET", "/v1/models", "", "X-Api-Key", "k", "Anthropic-Version", "x")
	require.JSONEq(t, `{"data":[],"has_more":false,"first_id":null,"last_id":null}`, w.Body.String())
}

func TestListModels_Pages(t *testing.T) {
	t.Parallel()
	pool := newPool()
	for i := range 60 {
		pool.list = append(pool.list, actors.ModelInfo{Name: fmt.Sprintf("m%02d", i)})
	}
	s := newTestServer(pool, live())
	tests := map[string]struct {
		n           int
		first, last string
		more        bool
	}{
		"limit=5":                  {5, "m00", "m04", true},
		"":                         {20, "m00", "m19", true},
		"limit=1000":               {60, "m00", "m59", false},
		"limit=9999999":            {60, "m00", "m59", false},
		"after_id=m57":             {2, "m58", "m59", false},
		"after_id=m57x&limit=1":    {1, "m58", "m58", true},
		"before_id=m10&limit=5":    {5, "m05", "m09", true},
		"before_id=m03&limit=5":    {3, "m00", "m02", false},
		"after_id=m39&limit=20":    {20, "m40", "m59", false},
		"after_id=zz":              {0, "", "", false},
		"before_id=m00&after_id=x": {0, "", "", false},
	}
	for query, tt := range tests {
		body := send(s, "GET", "/v1/models?"+query, "", "Anthropic-Version", "x").Body.Bytes()
		require.Len(t, gjson.GetBytes(body, "data").Array(), tt.n, query)
		require.Equal(t, tt.first, gjson.GetBytes(body, "first_id").String(), query)
		require.Equal(t, tt.last, gjson.GetBytes(body, "last_id").String(), query)
		require.Equal(t, tt.more, gjson.GetBytes(body, "has_more").Bool(), query)
	}

	var pages []int
	for token := "start"; token != ""; {
		body := send(s, "GET", "/v1beta/models?pageSize=25&pageToken="+map[bool]string{false: token}[token == "start"], "").Body.Bytes()
		pages = append(pages, len(gjson.GetBytes(body, "models").Array()))
		token = gjson.GetBytes(body, "nextPageToken").String()
	}
	require.Equal(t, []int{25, 25, 10}, pages)

	for _, query := range []string{"limit=0", "limit=-1", "limit=x"} {
		w := send(s, "GET", "/v1/models?"+query, "", "Anthropic-Version", "x")
		require.Equal(t, 400, w.Code)
		requireCode(t, providers.Anthropic, "invalid_parameter", w)
	}
	w := send(s, "GET", "/v1beta/models?pageSize=x", "")
	requireCode(t, providers.Gemini, "invalid_parameter", w)
}

func TestShowModel_FindsNamesWithSlashes(t *testing.T) {
	t.Parallel()
	s := modelServer("b", "team/*")
	w := send(s, "GET", "/v1/models/team/a%221", "", "X-Api-Key", "k")
	require.JSONEq(t, `{"id":"team/a\"1","object":"model","created":0,"owned_by":"q"}`, w.Body.String())
	require.Equal(t, "models/b", gjson.Get(send(s, "GET", "/v1beta/models/b", "", "X-Api-Key", "k").Body.String(), "name").String())
	require.Equal(t, "model", gjson.Get(send(s, "GET", "/v1/models/b", "", "X-Api-Key", "k", "Anthropic-Version", "x").Body.String(), "type").String())
	for _, name := range []string{"z", "nothing"} {
		w = send(s, "GET", "/v1/models/"+name, "", "X-Goog-Api-Key", "k")
		require.Equal(t, 404, w.Code)
		requireCode(t, providers.Gemini, "model_not_found", w)
	}
}

// Package listing shows models as the three dialects of model lists have them.
package listing

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/providers"
)

// Page sizes of the dialects that page, as their vendors have them.
const (
	anthropicPage = 20
	geminiPage    = 50
	maxPage       = 1000
)

// The lists of models, in three dialects.
type (
	openAIModel struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	openAIModels struct {
		Object string        `json:"object"`
		Data   []openAIModel `json:"data"`
	}
	anthropicModel struct {
		Type        string `json:"type"`
		ID          string `json:"id"`
		DisplayName string `json:"display_name"`
		CreatedAt   string `json:"created_at"`
	}
	anthropicModels struct {
		Data    []anthropicModel `json:"data"`
		HasMore bool             `json:"has_more"`
		FirstID *string          `json:"first_id"`
		LastID  *string          `json:"last_id"`
	}
	geminiModel struct {
		Name        string   `json:"name"`
		DisplayName string   `json:"displayName"`
		Methods     []string `json:"supportedGenerationMethods"`
	}
	geminiModels struct {
		Models        []geminiModel `json:"models"`
		NextPageToken string        `json:"nextPageToken,omitempty"`
	}
)

func newOpenAIModel(m actors.ModelInfo) openAIModel {
	return openAIModel{ID: m.Name, Object: "model", OwnedBy: m.Provider}
}

// newAnthropicModel dates every model back to the epoch: the dialect wants a date, and the
// gateway knows none.
func newAnthropicModel(m actors.ModelInfo) anthropicModel {
	return anthropicModel{
		Type: "model", ID: m.Name, DisplayName: m.Name, CreatedAt: time.Unix(0, 0).UTC().Format(time.RFC3339),
	}
}

func newGeminiModel(m actors.ModelInfo) geminiModel {
	return geminiModel{
		Name: "models/" + m.Name, DisplayName: m.Name,
		Methods: []string{"generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"},
	}
}

// All returns the list of models, which are in the order of their names, as a client of format
// f expects it; query is what it asks for: Anthropic's limit, after_id and before_id, Gemini's
// pageSize and pageToken. Its errors are *fault.Error.
func All(f providers.Format, models []actors.ModelInfo, query url.Values) ([]byte, error) {
	var (
		list any
		err  error
	)
	switch f {
	case providers.Anthropic:
		list, err = listAnthropic(models, query)
	case providers.Gemini:
		list, err = listGemini(models, query)
	default:
		list = openAIModels{Object: "list", Data: convert(models, newOpenAIModel)}
	}
	if err != nil {
		return nil, err
	}
	return fault.Encode(list), nil
}

// One returns the description of one of models, which are in the order of their names, as a
// client of format f expects it. Its error is *fault.Error, if there is no such model.
func One(f providers.Format, models []actors.ModelInfo, name string) ([]byte, error) {
	i, found := slices.BinarySearchFunc(models, name, compareName)
	if !found {
		return nil, fault.ModelNotFound(name)
	}
	switch f {
	case providers.Anthropic:
		return fault.Encode(newAnthropicModel(models[i])), nil
	case providers.Gemini:
		return fault.Encode(newGeminiModel(models[i])), nil
	default:
		return fault.Encode(newOpenAIModel(models[i])), nil
	}
}

// listAnthropic honours limit, after_id and before_id.
func listAnthropic(models []actors.ModelInfo, query url.Values) (anthropicModels, error) {
	limit, err := pageSize(query, "limit", anthropicPage)
	if err != nil {
		return anthropicModels{}, err
	}
	if before := query.Get("before_id"); before != "" {
		return newAnthropicModels(pageBefore(models, before, limit)), nil
	}
	return newAnthropicModels(pageAfter(models, query.Get("after_id"), limit)), nil
}

func newAnthropicModels(page []actors.ModelInfo, more bool) anthropicModels {
	list := anthropicModels{Data: convert(page, newAnthropicModel), HasMore: more}
	if len(page) > 0 {
		list.FirstID, list.LastID = &page[0].Name, &page[len(page)-1].Name
	}
	return list
}

// listGemini honours pageSize and pageToken; a token is the name of the page's last model.
func listGemini(models []actors.ModelInfo, query url.Values) (geminiModels, error) {
	limit, err := pageSize(query, "pageSize", geminiPage)
	if err != nil {
		return geminiModels{}, err
	}
	page, more := pageAfter(models, query.Get("pageToken"), limit)
	list := geminiModels{Models: convert(page, newGeminiModel)}
	if more {
		list.NextPageToken = page[len(page)-1].Name
	}
	return list, nil
}

// pageSize reads a page's size from the query: 1 to maxPage.
func pageSize(query url.Values, param string, standard int) (int, error) {
	text := query.Get(param)
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		e := fault.BadRequest("invalid_parameter", param+" must be a number from 1 to "+strconv.Itoa(maxPage)+".", err)
		e.Param = param
		return 0, e
	}
	return min(n, maxPage), nil
}

// pageAfter returns the models whose names follow after; an empty one = from the first.
// The name need not exist: models come and go while a client pages.
func pageAfter(models []actors.ModelInfo, after string, limit int) (page []actors.ModelInfo, more bool) {
	i, found := slices.BinarySearchFunc(models, after, compareName)
	if found {
		i++
	}
	models = models[i:]
	n := min(limit, len(models))
	return models[:n], n < len(models)
}

// pageBefore returns the models whose names come right before before.
func pageBefore(models []actors.ModelInfo, before string, limit int) (page []actors.ModelInfo, more bool) {
	i, _ := slices.BinarySearchFunc(models, before, compareName)
	from := max(0, i-limit)
	return models[from:i], from > 0
}

func compareName(m actors.ModelInfo, name string) int { return strings.Compare(m.Name, name) }

// convert never returns nil, which JSON would show as null.
func convert[T any](models []actors.ModelInfo, one func(actors.ModelInfo) T) []T {
	out := make([]T, len(models))
	for i, m := range models {
		out[i] = one(m)
	}
	return out
}

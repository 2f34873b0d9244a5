package providers

import (
	"errors"
	"fmt"

	"github.com/tidwall/gjson"
)

// Lister is a Provider that can read its vendor's answer to ListModels.
type Lister interface {
	// ModelNames returns the models that one page of the list names, in its order,
	// without those that have no name. A list may be empty; a body that is not a list
	// is an error.
	ModelNames(body []byte) ([]string, error)
	// NextPage returns the query that asks for the page after body's; empty = it was
	// the last.
	NextPage(body []byte) string
}

// ReadModelNames is what ModelNames does for most vendors: it returns member of every
// element of the array at path list ("@this" = the body itself is the array).
func ReadModelNames(body []byte, list, member string) ([]string, error) {
	if !gjson.ValidBytes(body) {
		return nil, errors.New("read model list: not valid JSON")
	}
	models := gjson.GetBytes(body, list)
	if !models.IsArray() {
		return nil, fmt.Errorf("read model list: no array %q", list)
	}
	names := []string{}
	models.ForEach(func(_, model gjson.Result) bool {
		if name := model.Get(member).String(); name != "" {
			names = append(names, name)
		}
		return true
	})
	return names, nil
}

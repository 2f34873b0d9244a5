package config

import (
	"errors"

	"go.yaml.in/yaml/v4"
)

// edit is a new value for a key of a login.
type edit struct {
	key   string
	value *yaml.Node
	after string // key that it follows if it is new; empty = the last one that can be followed
}

// Errors of editMapping.
var (
	errNoMapping    = errors.New("there is nothing of that name in the file")
	errUnchangeable = errors.New("it is written in a way that cannot be changed by machine; edit the file")
)

// editMapping returns data with edits made to the mapping that find finds: in place if
// possible, else, for YAML, in a form of the same meaning.
func editMapping(isJSON bool, data []byte, find func(document *yaml.Node) *yaml.Node, edits []edit) ([]byte, error) {
	if isJSON {
		if err := jsonError(data); err != nil {
			return nil, err
		}
		data = joinSurrogates(data)
	}
	document, bad := parseWhole(data)
	if bad != nil {
		return nil, bad
	}
	mapping := find(document)
	if mapping == nil {
		return nil, errNoMapping
	}
	next, possible := splice(data, mapping, edits, isJSON)
	change(mapping, edits)
	if possible && means(next, document, isJSON) {
		return next, nil
	}
	if isJSON {
		return nil, errUnchangeable
	}
	spare, _ := parseWhole(data) // whose tags writing takes away
	change(find(spare), edits)
	next, err := yaml.Dump(spare, yaml.WithLineWidth(-1))
	if err != nil || !means(next, document, false) {
		return nil, errUnchangeable
	}
	return next, nil
}

// indexOf returns where key is in the mapping n; -1 = nowhere.
func indexOf(n *yaml.Node, key string) int {
	if n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// change makes edits in the tree. What is new comes last.
func change(mapping *yaml.Node, edits []edit) {
	for _, e := range edits {
		if i := indexOf(mapping, e.key); i >= 0 {
			value := mapping.Content[i+1]
			if value.Kind == yaml.AliasNode {
				value = &yaml.Node{}
				mapping.Content[i+1] = value
			}
			value.Kind, value.Style, value.Tag, value.Value = e.value.Kind, e.value.Style, e.value.Tag, e.value.Value
			continue
		}
		if e.isNothing() {
			continue
		}
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: e.key}
		mapping.Content = append(mapping.Content, key, e.value)
	}
}

// isNothing reports whether e takes a value away.
func (e edit) isNothing() bool { return e.value.Tag == "!!null" }

// means reports whether data is a file that says what document does.
func means(data []byte, document *yaml.Node, isJSON bool) bool {
	if isJSON && jsonError(data) != nil {
		return false
	}
	read, err := parseWhole(data)
	return err == nil && read != nil && sameMeaning(read.Content[0], document.Content[0])
}

// sameMeaning compares trees without their looks. The order of keys has no meaning.
func sameMeaning(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.ShortTag() != b.ShortTag() || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) {
		return false
	}
	if a.Kind != yaml.MappingNode {
		for i := range a.Content {
			if !sameMeaning(a.Content[i], b.Content[i]) {
				return false
			}
		}
		return a.Value == b.Value
	}
	for i := 0; i < len(a.Content); i += 2 {
		j := indexOf(b, a.Content[i].Value)
		if j < 0 || !sameMeaning(a.Content[i+1], b.Content[j+1]) {
			return false
		}
	}
	return true
}

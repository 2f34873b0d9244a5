package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// UpdateTokens writes what a refresh has brought into the credential file at path: the
// access token, the refresh token (empty = it stays) and when the access token expires
// (zero = it is not known). All else in the file stays, comments and order included. The
// file is changed atomically, and what a nil error says survives. A file that is not there
// any more or holds no login by now is an error. No error holds a token.
func UpdateTokens(path, access, refresh string, expiresAt time.Time) error {
	if err := updateTokens(path, access, refresh, expiresAt); err != nil {
		return fmt.Errorf("update tokens of %s: %w", path, err)
	}
	return nil
}

func updateTokens(path, access, refresh string, expiresAt time.Time) error {
	edits, err := tokenEdits(access, refresh, expiresAt)
	if err != nil {
		return err
	}
	target, err := filepath.EvalSymlinks(path) // a link stays one
	if err != nil {
		return withoutPath(err)
	}
	f, err := os.OpenFile(target, notBlocking, 0)
	if err != nil {
		return withoutPath(err)
	}
	data, _, err := readBounded(f, maxCredentialBytes)
	if err != nil {
		return err
	}
	next, err := editLogin(path, data, edits)
	if err != nil || bytes.Equal(data, next) {
		return err
	}
	return WriteFileAtomic(target, next)
}

// edit is a new value for a key of a login.
type edit struct {
	key   string
	value *yaml.Node
}

func tokenEdits(access, refresh string, expiresAt time.Time) ([]edit, error) {
	var edits []edit
	for _, token := range []struct{ key, value string }{{"refresh-token", refresh}, {"access-token", access}} {
		if token.value == "" && token.key == "refresh-token" {
			continue
		}
		if err := checkSecret(token.value); err != nil {
			return nil, fmt.Errorf("%s: %w", token.key, err)
		}
		if !utf8.ValidString(token.value) {
			return nil, fmt.Errorf("%s: is not text", token.key)
		}
		literal := strings.ReplaceAll(token.value, "${", "$${") // it is no variable
		edits = append(edits, edit{token.key, &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Tag: "!!str", Value: literal}})
	}
	expiry := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	if !expiresAt.IsZero() {
		expiry = &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Tag: "!!str", Value: expiresAt.UTC().Format(time.RFC3339)}
	}
	return append(edits, edit{"expires-at", expiry}), nil
}

// editLogin returns data, which is what the file at path holds, with edits made to its
// login: in place if possible, else, for YAML, in a form of the same meaning.
func editLogin(path string, data []byte, edits []edit) ([]byte, error) {
	isJSON := filepath.Ext(path) == ".json"
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
	login := loginOf(document)
	if login == nil {
		return nil, errors.New("it holds no oauth with a refresh-token")
	}
	next, possible := splice(data, login, edits, isJSON)
	change(login, edits)
	if possible && means(next, document, isJSON) {
		return next, nil
	}
	if isJSON {
		return nil, errors.New("its oauth cannot be changed")
	}
	spare, _ := parseWhole(data) // whose tags writing takes away
	change(loginOf(spare), edits)
	next, err := yaml.Dump(spare, yaml.WithLineWidth(-1))
	if err != nil || !means(next, document, false) {
		return nil, errors.New("its oauth cannot be changed")
	}
	return next, nil
}

// loginOf returns the mapping oauth of a credential's document; nil = there is none, or it
// has no refresh token.
func loginOf(document *yaml.Node) *yaml.Node {
	if document == nil {
		return nil
	}
	login := document.Content[0]
	for _, key := range []string{"oauth", "refresh-token"} {
		i := indexOf(login, key)
		if i < 0 {
			return nil
		}
		value := resolveAlias(login.Content[i+1])
		if key == "refresh-token" {
			if value.Kind != yaml.ScalarNode || value.Value == "" {
				return nil
			}
			return login
		}
		login = value
	}
	return login
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
func change(login *yaml.Node, edits []edit) {
	for _, e := range edits {
		if i := indexOf(login, e.key); i >= 0 {
			value := login.Content[i+1]
			if value.Kind == yaml.AliasNode {
				value = &yaml.Node{}
				login.Content[i+1] = value
			}
			value.Kind, value.Style, value.Tag, value.Value = e.value.Kind, e.value.Style, e.value.Tag, e.value.Value
			continue
		}
		if e.isNothing() {
			continue
		}
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: e.key}
		login.Content = append(login.Content, key, e.value)
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

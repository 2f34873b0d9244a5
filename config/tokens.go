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
	next, err := editMapping(filepath.Ext(path) == ".json", data, loginOf, edits)
	if errors.Is(err, errNoMapping) {
		err = errors.New("it holds no oauth with a refresh-token")
	}
	if err != nil || bytes.Equal(data, next) {
		return err
	}
	return WriteFileAtomic(target, next)
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
		edits = append(edits, edit{token.key, &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Tag: "!!str", Value: literal}, "refresh-token"})
	}
	expiry := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	if !expiresAt.IsZero() {
		expiry = &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Tag: "!!str", Value: expiresAt.UTC().Format(time.RFC3339)}
	}
	return append(edits, edit{"expires-at", expiry, "refresh-token"}), nil
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

package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Set is a new value for one key: a bool, an int, a string or a time.Duration.
type Set struct {
	Key   string
	Value any
}

// SetRouting returns the configuration file data with keys of its section routing set. All
// else in it stays, comments and order included.
func SetRouting(data []byte, sets []Set) ([]byte, error) {
	edits := editsOf(sets)
	next, err := editMapping(false, data, func(document *yaml.Node) *yaml.Node { return section(document, "routing") }, edits)
	if errors.Is(err, errNoMapping) {
		return appendSection(data, "routing", edits)
	}
	return next, err
}

// SetCredential returns the configuration file data with keys of one of its credentials set,
// likewise.
func SetCredential(data []byte, id string, sets []Set) ([]byte, error) {
	return editMapping(false, data, func(document *yaml.Node) *yaml.Node { return credentialNode(document, id) }, editsOf(sets))
}

// SetCredentialFile returns data, which is what the file of credentials-dir at path holds,
// with keys set, likewise.
func SetCredentialFile(path string, data []byte, sets []Set) ([]byte, error) {
	return editMapping(filepath.Ext(path) == ".json", data, rootOf, editsOf(sets))
}

// CheckCredentialFileID reports why a credential of that id cannot have a file of its own,
// which is called after it. The id becomes a file name, so no path may hide in it.
func CheckCredentialFileID(id string) error {
	const longest = 128
	switch err := checkID(id); {
	case err != nil:
		return err
	case len(id) > longest:
		return fmt.Errorf("must not be longer than %d characters", longest)
	case strings.HasPrefix(id, "."), !filepath.IsLocal(id), filepath.Base(id) != id:
		return errors.New("must not begin with a dot")
	case strings.Contains(id, "::"):
		return errors.New(`must not hold "::", which sets projects apart`)
	}
	return nil
}

// Quote returns text as a string of a file that means it literally: no variable is in it.
func Quote(text string) string { return strings.ReplaceAll(text, "${", "$${") }

func editsOf(sets []Set) []edit {
	edits := make([]edit, len(sets))
	for i, s := range sets {
		value := &yaml.Node{Kind: yaml.ScalarNode}
		switch v := s.Value.(type) {
		case bool:
			value.Tag, value.Value = "!!bool", strconv.FormatBool(v)
		case int:
			value.Tag, value.Value = "!!int", strconv.Itoa(v)
		case time.Duration:
			value.Tag, value.Value, value.Style = "!!str", v.String(), yaml.DoubleQuotedStyle
		default:
			value.Tag, value.Value, value.Style = "!!str", Quote(fmt.Sprint(v)), yaml.DoubleQuotedStyle
		}
		edits[i] = edit{key: s.Key, value: value}
	}
	return edits
}

func rootOf(document *yaml.Node) *yaml.Node {
	if document == nil {
		return nil
	}
	if root := resolveAlias(document.Content[0]); root.Kind == yaml.MappingNode && len(root.Content) > 0 {
		return root
	}
	return nil
}

// section returns the mapping under a key of the root; nil = there is none, or an empty one.
func section(document *yaml.Node, key string) *yaml.Node {
	value := valueOf(rootOf(document), key)
	if value == nil || value.Kind != yaml.MappingNode || len(value.Content) == 0 {
		return nil
	}
	return value
}

// valueOf returns what is under key in the mapping n; nil = nothing.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	if n == nil {
		return nil
	}
	if i := indexOf(n, key); i >= 0 {
		return resolveAlias(n.Content[i+1])
	}
	return nil
}

func listOf(n *yaml.Node, key string) []*yaml.Node {
	if list := valueOf(n, key); list != nil && list.Kind == yaml.SequenceNode {
		return list.Content
	}
	return nil
}

// credentialNode returns the mapping of the credential of that id, which may be its default.
func credentialNode(document *yaml.Node, id string) *yaml.Node {
	for _, p := range listOf(rootOf(document), "providers") {
		provider := resolveAlias(p)
		name := textOf(valueOf(provider, "name"))
		for i, c := range listOf(provider, "credentials") {
			credential := resolveAlias(c)
			own := textOf(valueOf(credential, "id"))
			if own == "" {
				own = defaultID(name, i)
			}
			if own == id && credential.Kind == yaml.MappingNode && len(credential.Content) > 0 {
				return credential
			}
		}
	}
	return nil
}

func textOf(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || isNull(n) {
		return ""
	}
	return n.Value
}

// appendSection adds a section that the file does not have.
func appendSection(data []byte, key string, edits []edit) ([]byte, error) {
	document, bad := parseWhole(data)
	if bad != nil {
		return nil, bad
	}
	root := rootOf(document)
	if root == nil || root.Style&yaml.FlowStyle != 0 || indexOf(root, key) >= 0 {
		return nil, errUnchangeable
	}
	value := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	var text strings.Builder
	if len(data) > 0 && data[len(data)-1] != '\n' {
		text.WriteByte('\n')
	}
	text.WriteString(key + ":\n")
	for _, e := range edits {
		text.WriteString("  " + e.key + ": " + e.text() + "\n")
		value.Content = append(value.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: e.key}, e.value)
	}
	next := slices.Concat(data, []byte(text.String()))
	root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
	if !means(next, document, false) {
		return nil, errUnchangeable
	}
	return next, nil
}

// ParseCredentialFile returns the credentials that a file of credentials-dir at path would
// bring if it held data, and the name of their provider. kinds are those of the providers, by
// name. Data that names further files is refused. Its error is of type Errors.
func ParseCredentialFile(path string, data []byte, kinds map[string]string) (provider string, credentials []Credential, err error) {
	p := fileParser{
		kinds:  kinds,
		getenv: func(string) (string, bool) { return "", false },
		readKey: func(string) ([]byte, error) {
			return nil, errors.New("files cannot be named here; give the key itself")
		},
	}
	f := p.parse(path, data)
	return f.provider, f.credentials, f.bad.orNil()
}

// Set changes r as SetRouting changes a file.
func (r *Routing) Set(sets []Set) error {
	for _, s := range sets {
		switch v := s.Value.(type) {
		case string:
			r.Strategy = Strategy(v).resolved()
		case bool:
			r.SessionAffinity = v
		case time.Duration:
			r.SessionAffinityTTL = v
		default:
			return fmt.Errorf("routing.%s cannot be changed", s.Key)
		}
	}
	return nil
}

// Set changes c as SetCredential changes a file.
func (c *Credential) Set(sets []Set) error {
	for _, s := range sets {
		number, _ := s.Value.(int)
		switch s.Key {
		case "disabled":
			c.Disabled, _ = s.Value.(bool)
		case "weight":
			c.Weight = &number
		case "priority":
			c.Priority = number
		case "max-concurrency":
			c.MaxConcurrency = number
		default:
			return fmt.Errorf("%s cannot be changed", s.Key)
		}
	}
	return nil
}

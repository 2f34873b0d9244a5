package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxProjects bounds how many credentials one file expands to.
const maxProjects = 1000

// fileKeys are the keys of a file in credentials-dir.
type fileKeys struct {
	// Provider is the name of a configured provider.
	Provider string `yaml:"provider"`
	// Projects of the account, each of which becomes a credential.
	Projects   []string `yaml:"projects"`
	Credential `yaml:",inline"`
}

// credentialFile is what one version of a file in credentials-dir says.
type credentialFile struct {
	provider    string
	kind        string       // of the provider, when the file was read; "" = there was none
	credentials []Credential // empty if anything is wrong
	idLine      int
	keyFile     string // the service account's, from where the program runs; "" = none
	secrets     bool   // it holds one, rather than the name of a variable
	bad         Errors
}

// fileParser reads credential files.
type fileParser struct {
	getenv  func(string) (string, bool)
	kinds   map[string]string // of providers by name
	readKey func(path string) ([]byte, error)
}

// parse reads data, which is what the file at path holds.
func (p *fileParser) parse(path string, data []byte) credentialFile {
	root, err := parseCredential(path, data)
	if err != nil {
		err.File = path
		return credentialFile{bad: Errors{err}}
	}
	d := decoder{getenv: p.getenv, lines: map[string]int{}, budget: maxValues, inFile: true}
	var keys fileKeys
	d.decode(root, reflect.ValueOf(&keys).Elem(), "")
	kind := p.kinds[keys.Provider]
	f := credentialFile{provider: keys.Provider, kind: kind, secrets: d.secrets}

	base := filepath.Base(path)
	fill(&keys.ID, strings.TrimSuffix(base, filepath.Ext(base)))
	f.keyFile = p.fetchKey(&d, path, keys.ServiceAccount)
	v := validator{}
	p.check(&v, &keys, kind)
	if f.bad = d.problems(path, v.errs); len(f.bad) > 0 {
		return f
	}
	f.idLine = d.line("id")
	f.credentials = keys.expand(path)
	return f
}

// fetchKey reads the file that a names, if it does, and returns its path.
func (p *fileParser) fetchKey(d *decoder, path string, a *ServiceAccount) string {
	if a == nil || a.File == "" {
		return ""
	}
	file := a.File
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(path), file)
	}
	key, err := p.readKey(file)
	if err != nil {
		d.failf(d.line("service-account.file"), "service-account", "file: %v", withoutPath(err))
	}
	a.Key = string(key)
	return file
}

// check validates what the file says for a provider of kind; "" = there is no such one.
func (p *fileParser) check(v *validator, keys *fileKeys, kind string) {
	switch {
	case keys.Provider == "":
		v.failf("provider", "is required: the name of a provider")
	case kind == "":
		v.failf("provider", "there is no provider %q%s", keys.Provider, didYouMean(keys.Provider, sortedKeys(p.kinds)))
	}
	if kind == "" {
		kind = KindSimulator // of which least is asked
	}
	c := keys.Credential
	v.check("id", checkID(c.ID))
	if len(keys.Projects) > maxProjects {
		v.failf("projects", "must not be more than %d", maxProjects)
	}
	seen := unique{}
	for i, project := range keys.Projects {
		v.check(at("projects", i), checkID(project))
		if first := seen.add(project, at("projects", i)); first != "" {
			v.failf(at("projects", i), "%q is the same as %s", project, first)
		}
	}
	if kind == KindSimulator && c.OAuth == nil && c.ServiceAccount == nil {
		fill(&c.APIKey, c.ID)
	}
	before := len(v.errs)
	v.credential("", kind, &c)
	if c.ServiceAccount != nil && len(v.errs) == before {
		key, _ := readServiceAccount(c.ServiceAccount.Key) // has just been checked
		v.check("service-account", key.checkPrivateKey())
	}
}

// expand returns the credential of the file at path, or one for each of its projects.
func (k *fileKeys) expand(path string) []Credential {
	c := k.Credential
	c.Source = path
	if len(k.Projects) == 0 {
		return []Credential{c}
	}
	fill(&c.Account, c.ID)
	all := make([]Credential, len(k.Projects))
	for i, project := range k.Projects {
		all[i] = c
		all[i].ID, all[i].Project = c.ID+"::"+project, project
	}
	return all
}

// isCredentialFile reports whether a file of that name in credentials-dir is meant to hold
// a credential. Editors and mounts keep their own files under names that begin with a dot.
func isCredentialFile(name string) bool {
	return !strings.HasPrefix(name, ".") && slices.Contains([]string{".json", ".yaml", ".yml"}, filepath.Ext(name))
}

// parseCredential returns the root of data, which is JSON or YAML as path says.
func parseCredential(path string, data []byte) (*yaml.Node, *Error) {
	if filepath.Ext(path) == ".json" {
		if err := jsonError(data); err != nil {
			return nil, err
		}
		data = joinSurrogates(data)
	}
	root, err := parseDocument(data)
	if err == nil && root == nil {
		err = &Error{Line: 1, Problem: "holds nothing"}
	}
	return root, err
}

// jsonError reports why data is not JSON. What is JSON is YAML too, and read as such.
func jsonError(data []byte) *Error {
	var whole json.RawMessage
	err := json.Unmarshal(data, &whole)
	if err == nil {
		return nil
	}
	line := 1
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line += bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
	}
	return &Error{Line: line, Problem: "is not JSON: " + err.Error()}
}

// joinSurrogates writes out what is escaped as a pair of surrogates, as JSON does beyond
// the first 65,536 characters and YAML does not.
func joinSurrogates(data []byte) []byte {
	if !bytes.Contains(data, []byte(`\ud`)) && !bytes.Contains(data, []byte(`\uD`)) {
		return data
	}
	escapes := regexp.MustCompile(`\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|.)`)
	return escapes.ReplaceAllFunc(data, func(escape []byte) []byte {
		var character string
		if len(escape) == 2 || json.Unmarshal(slices.Concat([]byte(`"`), escape, []byte(`"`)), &character) != nil {
			return escape
		}
		return []byte(character)
	})
}

// withoutPath returns why an operation on a file failed; the path is told elsewhere.
func withoutPath(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
)

// Loaded is what a configuration file and its credentials-dir hold together. It must not
// be changed: later ones share parts with it.
type Loaded struct {
	// Config is complete and valid. Credentials from files come after the provider's own,
	// in the order of the files' names.
	Config *Config
	// Bad is what is wrong with files of credentials-dir. Such a file is left out or, if it
	// was good before, stays in use as it was.
	Bad Errors
	// Warnings is what else is to be said about credentials-dir.
	Warnings []string
}

// LoadAll is Load for the configuration file and the files in its credentials-dir. What is
// wrong with the latter is no error: see Loaded.Bad.
func LoadAll(path string, getenv func(string) (string, bool), extraKinds ...string) (*Loaded, error) {
	return NewSource(path, getenv, extraKinds...).Load()
}

// Source is a configuration file with its credentials-dir that is read again and again. It
// reads only what changed. It is for one goroutine at a time.
type Source struct {
	path       string
	getenv     func(string) (string, bool)
	extraKinds []string

	version version
	now     *Config // what the file says; nil = it is bad
	bad     error   // why
	good    *Config // the last that was in use; nil = none was
	folder  folder

	given    *Loaded // what was handed out last
	givenBad string  // and, if the file was bad since, why
}

// NewSource returns a source for the file at path, which need not exist; the rest is as for
// Load.
func NewSource(path string, getenv func(string) (string, bool), extraKinds ...string) *Source {
	if getenv == nil {
		getenv = func(string) (string, bool) { return "", false }
	}
	return &Source{path: path, getenv: getenv, extraKinds: extraKinds}
}

// Load reads everything, whether it changed or not. Its error is that of Load.
func (s *Source) Load() (*Loaded, error) {
	s.refresh(true)
	loaded, err := s.result()
	if err != nil {
		s.givenBad = err.Error()
		return nil, err
	}
	s.given, s.givenBad = loaded, ""
	return loaded, nil
}

// refresh reads what may have changed or, with force, everything. It reports whether
// anything is different now.
func (s *Source) refresh(force bool) bool {
	changed := s.refreshMain(force)
	c := s.now
	if c == nil {
		c = s.good
	}
	if c == nil {
		return changed
	}
	path := c.CredentialsDir
	if path != "" && !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(s.path), path)
	}
	if path != s.folder.path {
		s.folder, changed = newFolder(path, maxFiles), true
	}
	if path == "" {
		return changed
	}
	p := fileParser{getenv: s.getenv, kinds: map[string]string{}}
	for _, provider := range c.Providers {
		p.kinds[provider.Name] = provider.Kind
	}
	return s.folder.refresh(p, force) || changed
}

func (s *Source) refreshMain(force bool) bool {
	info, err := os.Stat(s.path)
	isFile := err == nil && info.Mode().IsRegular()
	if !force && s.version.is(info) || err == nil && !isFile && (s.now != nil || s.good != nil) {
		return false // what can be read only once was
	}
	now, bad := s.now, errorText(s.bad)
	data, version, err := readMain(s.path)
	s.version, s.now, s.bad = version, nil, err
	if err != nil {
		s.bad = fmt.Errorf("read configuration: %w", err)
	} else {
		s.now, s.bad = Parse(s.path, data, s.getenv, s.extraKinds...)
	}
	return errorText(s.bad) != bad || !reflect.DeepEqual(s.now, now)
}

// result returns what was read. With a bad configuration file that is its error and, if it
// was good before, that configuration with the credentials that there are now.
func (s *Source) result() (*Loaded, error) {
	if s.now != nil {
		s.good = s.now
	}
	if s.good == nil {
		return nil, s.bad
	}
	return s.merge(), s.bad
}

// merge joins the configuration with the credentials of the folder.
func (s *Source) merge() *Loaded {
	c := *s.good
	c.Providers = slices.Clone(c.Providers)
	c.Logging.place(s.path)
	m := merger{loaded: &Loaded{Config: &c}, providers: map[string]*Provider{}, ids: map[string]string{}}
	for i := range c.Providers {
		p := &c.Providers[i]
		p.Credentials = slices.Clone(p.Credentials)
		m.providers[p.Name] = p
		for _, credential := range p.Credentials {
			m.ids[credential.ID] = s.path
		}
	}
	for _, name := range s.folder.names {
		m.add(filepath.Join(s.folder.path, name), s.folder.files[name])
	}
	for i := range c.Providers {
		deriveProvider(&c.Providers[i])
	}
	switch {
	case s.folder.none:
		m.loaded.Warnings = append(m.loaded.Warnings, "credentials-dir: "+s.folder.note)
	case s.folder.note != "":
		m.loaded.Bad = append(m.loaded.Bad, &Error{File: s.path, Path: "credentials-dir", Problem: s.folder.note})
	}
	if len(m.exposed) > 0 {
		m.loaded.Warnings = append(m.loaded.Warnings, exposedWarning(m.exposed))
	}
	return m.loaded
}

// place makes Dir what it means in a configuration file.
func (l *Logging) place(file string) {
	fill(&l.Dir, "logs")
	if !filepath.IsAbs(l.Dir) {
		l.Dir = filepath.Join(filepath.Dir(file), l.Dir)
	}
}

// merger adds the credentials of files to a configuration.
type merger struct {
	loaded    *Loaded
	providers map[string]*Provider
	ids       map[string]string // of credentials: the file that each is from
	exposed   []string
}

// add adds what file, which is at path, says, or what it said when it last was good.
func (m *merger) add(path string, file *folderFile) {
	current := file.now
	if len(file.now.bad) > 0 {
		m.loaded.Bad = append(m.loaded.Bad, file.now.bad...)
		current = file.good
	}
	if file.exposed {
		m.exposed = append(m.exposed, path)
	}
	p := m.providers[current.provider]
	if p == nil || p.Kind != current.kind {
		return // it was good in another configuration
	}
	for _, c := range current.credentials {
		if other, taken := m.ids[c.ID]; taken {
			m.loaded.Bad = append(m.loaded.Bad, &Error{File: path, Line: current.idLine, Path: "id", Problem: fmt.Sprintf("%q is the same as in %s", c.ID, other)})
			return
		}
	}
	if p.Kind == KindVertex && p.Project == "" && slices.ContainsFunc(current.credentials, func(c Credential) bool { return c.project(p) == "" }) {
		m.loaded.Bad = append(m.loaded.Bad, &Error{File: path, Path: "projects", Problem: "is required: neither the provider nor a service account names a project"})
		return
	}
	for _, c := range current.credentials {
		m.ids[c.ID] = path
		c.Project = c.project(p)
		p.Credentials = append(p.Credentials, c)
	}
	file.good = current
}

// project returns the project c is for as a credential of p: its own, else the provider's,
// else that of its service account.
func (c *Credential) project(p *Provider) string {
	if c.Project != "" || p.Project != "" || c.ServiceAccount == nil {
		return cmp.Or(c.Project, p.Project)
	}
	key, _ := readServiceAccount(c.ServiceAccount.Key) // was checked before
	return key.Project
}

func exposedWarning(paths []string) string {
	more := ""
	if len(paths) > 1 {
		more = fmt.Sprintf(" and %d more", len(paths)-1)
	}
	return fmt.Sprintf("%s%s: can be read by others than the owner; chmod 600", paths[0], more)
}

// alike reports whether l says the same as other, the tokens that refreshing brings aside.
func (l *Loaded) alike(other *Loaded) bool {
	if l == nil || other == nil {
		return l == other
	}
	return slices.Equal(l.Warnings, other.Warnings) && l.Bad.Error() == other.Bad.Error() &&
		reflect.DeepEqual(l.withoutTokens(), other.withoutTokens())
}

func (l *Loaded) withoutTokens() *Config {
	c := *l.Config
	c.Providers = slices.Clone(c.Providers)
	for i := range c.Providers {
		p := &c.Providers[i]
		p.Credentials = slices.Clone(p.Credentials)
		for j := range p.Credentials {
			p.Credentials[j].OAuth = p.Credentials[j].OAuth.withoutToken()
		}
	}
	return &c
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

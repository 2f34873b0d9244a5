package understudy

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/http/admin"
)

// settings makes the changes that operators ask for by hand: in the file that they belong to,
// and then in the gateway, or in neither. Without a file they last as long as the gateway.
type settings struct {
	gateway *Gateway
	file    string // the configuration file; empty = there is none
	getenv  func(string) (string, bool)
	mu      sync.Mutex // one change at a time
}

// Config returns the running configuration.
func (s *settings) Config() *config.Config { return s.gateway.config() }

// Text returns the configuration as a file, secrets masked.
func (s *settings) Text() ([]byte, error) {
	if s.file == "" {
		return config.Show(s.Config())
	}
	data, err := os.ReadFile(s.file)
	if err != nil {
		return nil, withoutPath(err)
	}
	return config.Mask(data)
}

// Replace makes text the configuration file.
func (s *settings) Replace(text []byte) (admin.Applied, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.current()
	if err != nil {
		return admin.Applied{}, err
	}
	text, err = config.Unmask(old, text)
	if err != nil {
		return admin.Applied{}, err
	}
	if s.file != "" {
		return s.rewrite(s.file, old, text)
	}
	cfg, err := config.Parse("", text, s.getenv, s.gateway.options.hostKinds()...)
	if err != nil {
		return admin.Applied{}, err
	}
	return s.apply(cfg)
}

// current returns what masked secrets are compared with: the file, or what one would hold.
func (s *settings) current() ([]byte, error) {
	if s.file == "" {
		return config.Reveal(s.Config())
	}
	data, err := os.ReadFile(s.file)
	return data, withoutPath(err)
}

// SetRouting changes keys of the section routing.
func (s *settings) SetRouting(sets []config.Set) (admin.Applied, error) {
	return s.edit(s.file, func(data []byte) ([]byte, error) { return config.SetRouting(data, sets) }, func(c *config.Config) error {
		return c.Routing.Set(sets)
	})
}

// SetCredential changes keys of a credential.
func (s *settings) SetCredential(id string, sets []config.Set) (admin.Applied, error) {
	p, c := find(s.Config(), id)
	if c == nil {
		return admin.Applied{}, admin.ErrNotFound
	}
	inMemory := func(next *config.Config) error {
		at := slices.IndexFunc(next.Providers[p].Credentials, func(c config.Credential) bool { return c.ID == id })
		return next.Providers[p].Credentials[at].Set(sets)
	}
	if c.Source == "" {
		return s.edit(s.file, func(data []byte) ([]byte, error) { return config.SetCredential(data, id, sets) }, inMemory)
	}
	if isProject(c) {
		return admin.Applied{}, projectError(c)
	}
	return s.edit(c.Source, func(data []byte) ([]byte, error) { return config.SetCredentialFile(c.Source, data, sets) }, inMemory)
}

// isProject reports whether a credential is one of those that one file stands for.
func isProject(c *config.Credential) bool { return strings.Contains(c.ID, "::") }

func projectError(c *config.Credential) error {
	return admin.Conflict(fmt.Sprintf("%s is one of the projects of the file %s, which they share: change the file", c.ID, filepath.Base(c.Source)))
}

// find returns a credential and the index of its provider; nil if there is none.
func find(cfg *config.Config, id string) (provider int, c *config.Credential) {
	for p := range cfg.Providers {
		for i := range cfg.Providers[p].Credentials {
			if c := &cfg.Providers[p].Credentials[i]; c.ID == id {
				return p, c
			}
		}
	}
	return 0, nil
}

// edit changes the file at path or, if there is none, the configuration in memory.
func (s *settings) edit(path string, inFile func([]byte) ([]byte, error), inMemory func(*config.Config) error) (admin.Applied, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if path == "" {
		next := copyOf(s.Config())
		if err := inMemory(next); err != nil {
			return admin.Applied{}, err
		}
		return s.apply(next)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return admin.Applied{}, fmt.Errorf("read %s: %w", filepath.Base(path), withoutPath(err))
	}
	next, err := inFile(old)
	if err != nil {
		return admin.Applied{}, admin.Conflict(fmt.Sprintf("%s: %v", filepath.Base(path), err))
	}
	return s.rewrite(path, old, next)
}

// copyOf returns a copy whose credentials can be changed.
func copyOf(cfg *config.Config) *config.Config {
	next := *cfg
	next.Providers = slices.Clone(next.Providers)
	for i := range next.Providers {
		next.Providers[i].Credentials = slices.Clone(next.Providers[i].Credentials)
	}
	return &next
}

func (s *settings) apply(cfg *config.Config) (admin.Applied, error) {
	changes, err := s.gateway.Apply(cfg)
	done := admin.Applied{Changes: changes}
	var restart *RestartError
	if errors.As(err, &restart) {
		done.Restart, err = restart.Paths, nil
	}
	return done, err
}

// rewrite makes next the content of the file at path and what the files say then the
// configuration. If that cannot be, the file is what it was.
func (s *settings) rewrite(path string, old, next []byte) (admin.Applied, error) {
	if path == s.file {
		if _, err := config.Parse(filepath.Base(path), next, s.getenv, s.gateway.options.hostKinds()...); err != nil {
			return admin.Applied{}, err
		}
	}
	target, err := filepath.EvalSymlinks(path) // a link stays one
	if err != nil {
		return admin.Applied{}, withoutPath(err)
	}
	if !bytes.Equal(old, next) {
		if err := config.WriteFileAtomic(target, next); err != nil {
			return admin.Applied{}, admin.Conflict(fmt.Sprintf("%s cannot be written: %v", filepath.Base(path), withoutPath(err)))
		}
	}
	return s.reload(path, func() error { return config.WriteFileAtomic(target, old) })
}

// reload applies what the files say after a change of the one at path, or takes that back.
func (s *settings) reload(path string, undo func() error) (admin.Applied, error) {
	loaded, err := config.LoadAll(s.file, s.getenv, s.gateway.options.hostKinds()...)
	if err == nil {
		err = badness(loaded, path)
	}
	var done admin.Applied
	if err == nil {
		done, err = s.apply(loaded.Config)
	}
	if err != nil {
		return admin.Applied{}, errors.Join(err, undo())
	}
	done.Persisted = true
	return done, nil
}

// badness returns what is wrong with the file at path.
func badness(loaded *config.Loaded, path string) error {
	var bad config.Errors
	for _, err := range loaded.Bad {
		if err.File == path {
			short := *err
			short.File = filepath.Base(path)
			bad = append(bad, &short)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return bad
}

// AddCredential adds a credential in a file of its own.
func (s *settings) AddCredential(id string, data []byte) (admin.Applied, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cfg := s.Config()
	if _, c := find(cfg, id); c != nil {
		return admin.Applied{}, admin.Conflict("there is a credential " + id + " already")
	}
	kinds := map[string]string{}
	for _, p := range cfg.Providers {
		kinds[p.Name] = p.Kind
	}
	name := id + ".json"
	provider, credentials, err := config.ParseCredentialFile(name, data, kinds)
	if err != nil {
		return admin.Applied{}, err
	}
	if s.file == "" {
		next := copyOf(cfg)
		at := slices.IndexFunc(next.Providers, func(p config.Provider) bool { return p.Name == provider })
		for _, c := range credentials {
			c.Source = ""
			next.Providers[at].Credentials = append(next.Providers[at].Credentials, c)
		}
		return s.apply(next)
	}
	folder, err := s.folder(cfg)
	if err != nil {
		return admin.Applied{}, err
	}
	for _, ending := range []string{".json", ".yaml", ".yml"} {
		if _, err := os.Lstat(filepath.Join(folder, id+ending)); !errors.Is(err, fs.ErrNotExist) {
			return admin.Applied{}, admin.Conflict("there is a file " + id + ending + " in credentials-dir already")
		}
	}
	path := filepath.Join(folder, name)
	if err := config.WriteFileAtomic(path, data); err != nil {
		return admin.Applied{}, admin.Conflict(fmt.Sprintf("%s cannot be written: %v", name, withoutPath(err)))
	}
	return s.reload(path, func() error { return os.Remove(path) })
}

// folder returns credentials-dir, which is made if it is not there.
func (s *settings) folder(cfg *config.Config) (string, error) {
	folder := cfg.CredentialsDir
	if folder == "" {
		return "", admin.Conflict("credentials-dir is not set, so there is no place for a credential's file")
	}
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(filepath.Dir(s.file), folder)
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", admin.Conflict(fmt.Sprintf("credentials-dir cannot be made: %v", withoutPath(err)))
	}
	return folder, nil
}

// RemoveCredential removes a credential with its file.
func (s *settings) RemoveCredential(id string) (admin.Applied, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cfg := s.Config()
	p, c := find(cfg, id)
	switch {
	case c == nil:
		return admin.Applied{}, admin.ErrNotFound
	case s.file == "":
		next := copyOf(cfg)
		list := &next.Providers[p].Credentials
		*list = slices.DeleteFunc(*list, func(c config.Credential) bool { return c.ID == id })
		return s.apply(next)
	case c.Source == "":
		return admin.Applied{}, admin.Conflict(id + " is in the configuration file: disable it, or change the file")
	case isProject(c):
		return admin.Applied{}, projectError(c)
	}
	old, err := os.ReadFile(c.Source)
	if err != nil {
		return admin.Applied{}, fmt.Errorf("read %s: %w", filepath.Base(c.Source), withoutPath(err))
	}
	if err := os.Remove(c.Source); err != nil {
		return admin.Applied{}, admin.Conflict(fmt.Sprintf("%s cannot be removed: %v", filepath.Base(c.Source), withoutPath(err)))
	}
	return s.reload(c.Source, func() error { return config.WriteFileAtomic(c.Source, old) })
}

// withoutPath returns why an operation on a file failed, without where it is.
func withoutPath(err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

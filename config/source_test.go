package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const mainFile = `
credentials-dir: credentials
providers:
  - {name: openai, kind: openai, models: [m], credentials: [{id: fixed, api-key: k0}]}
  - {name: sim, kind: simulator}
`

// place is a folder with a configuration file and credentials-dir.
type place struct {
	t    testing.TB
	path string // of the configuration file
}

func newPlace(t testing.TB, main string) place {
	t.Helper()
	p := place{t: t, path: filepath.Join(t.TempDir(), "config.yaml")}
	require.NoError(t, os.Mkdir(p.in(""), 0o700))
	p.write(p.path, main)
	return p
}

// in returns the path of a file in credentials-dir.
func (p place) in(name string) string {
	return filepath.Join(filepath.Dir(p.path), "credentials", name)
}

func (p place) write(path, text string) {
	p.t.Helper()
	require.NoError(p.t, os.WriteFile(path, []byte(text), 0o600))
}

// put writes a file of credentials-dir.
func (p place) put(name, text string) {
	p.t.Helper()
	p.write(p.in(name), text)
}

func (p place) load() *Loaded {
	p.t.Helper()
	loaded, err := LoadAll(p.path, environment)
	require.NoError(p.t, err)
	require.NoError(p.t, loaded.Config.Validate())
	return loaded
}

// summary lists the credentials as provider/id=key.
func (l *Loaded) summary() string {
	var all []string
	for _, p := range l.Config.Providers {
		for _, c := range p.Credentials {
			all = append(all, p.Name+"/"+c.ID+"="+c.APIKey)
		}
	}
	return strings.Join(all, " ")
}

// problems lists what is wrong with files, without the folder.
func (p place) problems(l *Loaded) []string {
	var all []string
	for _, e := range l.Bad {
		all = append(all, strings.TrimPrefix(e.Error(), p.in("")+"/"))
	}
	return all
}

func TestLoadAll_AddsFilesInTheOrderOfTheirNames(t *testing.T) {
	t.Parallel()
	p := newPlace(t, mainFile)
	p.put("z.json", `{"provider": "openai", "api-key": "k2"}`)
	p.put("b.yaml", "provider: openai\nid: first\napi-key: k1")
	p.put("s.yml", "provider: sim\nprojects: [p, q]")
	for _, ignored := range []string{".hidden.yaml", "README.md", "a.yaml~", "a.YAML.bak", "#a.yaml#"} {
		p.put(ignored, "nonsense")
	}
	require.NoError(t, os.Mkdir(p.in("folder"), 0o700))
	loaded := p.load()
	require.Empty(t, loaded.Bad)
	require.Empty(t, loaded.Warnings)
	require.Equal(t, "openai/fixed=k0 openai/first=k1 openai/z=k2 sim/s::p=s::p sim/s::q=s::q", loaded.summary())
	require.Equal(t, p.in("b.yaml"), loaded.Config.Providers[0].Credentials[1].Source)
	require.Equal(t, "credentials", loaded.Config.CredentialsDir)
}

func TestLoadAll_LeavesOutBadFilesOnly(t *testing.T) {
	t.Parallel()
	p := newPlace(t, mainFile)
	p.put("a.json", "{\n\"provider\": \"openai\",\n\"api-key\": \"k\",\n}") // HR13
	p.put("b.yaml", "provider: openai\napi-key: k1\nid: fixed")
	p.put("c.yaml", "provider: openai\napi-key: k2")
	p.put("d.yaml", "provider: openai\n\nid: c\napi-key: k3")
	p.put("e.yaml", "provider: sim\nprojects: [a, b]")
	p.put("f.yaml", "provider: sim\nid: e::b")
	p.put("large.yaml", "provider: openai\napi-key: k\n#"+strings.Repeat("x", maxCredentialBytes))
	p.put("unreadable.yaml", "provider: openai\napi-key: k\n")
	require.NoError(t, os.Chmod(p.in("unreadable.yaml"), 0))
	require.NoError(t, os.Mkdir(p.in("folder.json"), 0o700))
	require.NoError(t, syscall.Mkfifo(p.in("pipe.yaml"), 0o600))
	loaded := p.load()
	want := []string{
		"a.json:4: is not JSON: invalid character '}' looking for beginning of object key string",
		`b.yaml:3: id: "fixed" is the same as in ` + p.path,
		`d.yaml:3: id: "c" is the same as in ` + p.in("c.yaml"),
		`f.yaml:2: id: "e::b" is the same as in ` + p.in("e.yaml"),
		"folder.json: is not a regular file",
		"large.yaml: is larger than 1048576 bytes",
		"pipe.yaml: is not a regular file",
	}
	good := "openai/fixed=k0 openai/c=k2 "
	if os.Getuid() == 0 { // to whom nothing is unreadable
		good += "openai/unreadable=k "
	} else {
		want = append(want, "unreadable.yaml: permission denied")
	}
	require.Equal(t, want, p.problems(loaded))
	require.Equal(t, good+"sim/e::a=e::a sim/e::b=e::b", loaded.summary())
}

func TestLoadAll_FollowsLinksInsideTheFolderOnly(t *testing.T) {
	t.Parallel()
	p := newPlace(t, mainFile)
	outside := filepath.Join(filepath.Dir(p.path), "outside.yaml")
	p.write(outside, "provider: openai\napi-key: hunter2")
	require.NoError(t, os.Mkdir(p.in("..v1"), 0o700)) // as Kubernetes mounts secrets
	p.put("..v1/good.yaml", "provider: openai\napi-key: k")
	for link, target := range map[string]string{
		"..data": "..v1", "good.yaml": "..data/good.yaml", "up.yaml": "../outside.yaml", "far.yaml": outside,
		"lost.yaml": "nowhere.yaml", "round.yaml": "round.yaml",
	} {
		require.NoError(t, os.Symlink(target, p.in(link)))
	}
	loaded := p.load()
	require.Equal(t, "openai/fixed=k0 openai/good=k", loaded.summary())
	const leaves = ": is a symbolic link that leaves the folder or cannot be followed"
	require.Equal(t, []string{"far.yaml" + leaves, "lost.yaml: no such file or directory", "round.yaml" + leaves, "up.yaml" + leaves}, p.problems(loaded))
}

func TestLoadAll_WarnsOfSecretsThatOthersCanRead(t *testing.T) {
	t.Parallel()
	p := newPlace(t, mainFile)
	key := accountKey(t, privateKey(t, true), nil)
	for name, text := range map[string]string{
		"a.yaml": "provider: openai\napi-key: k", "b.yaml": "provider: openai\napi-key: ${WORD}", "c.yaml": "provider: openai\noauth: {access-token: k}",
		"d.yaml": "provider: openai\nservice-account: {file: d.key}", "d.key": key, "e.yaml": "provider: openai\nservice-account: " + key, "f.yaml": "provider: openai\napi-key: k",
	} {
		p.put(name, text)
		if name != "f.yaml" {
			require.NoError(t, os.Chmod(p.in(name), 0o640))
		}
	}
	loaded := p.load()
	require.Empty(t, loaded.Bad)
	require.Equal(t, []string{p.in("a.yaml") + " and 3 more: can be read by others than the owner; chmod 600"}, loaded.Warnings)
}

func TestLoadAll_RunsWithoutTheFolder(t *testing.T) {
	t.Parallel()
	p := newPlace(t, mainFile)
	require.NoError(t, os.Remove(p.in("")))
	loaded := p.load()
	require.Equal(t, "openai/fixed=k0", loaded.summary())
	require.Empty(t, loaded.Bad)
	folder := strings.TrimSuffix(p.in(""), "/")
	require.Equal(t, []string{"credentials-dir: there is no folder " + folder}, loaded.Warnings)

	p.write(folder, "not a folder")
	loaded = p.load()
	require.Equal(t, "openai/fixed=k0", loaded.summary())
	require.Len(t, loaded.Bad, 1)
	require.Contains(t, loaded.Bad.Error(), p.path+": credentials-dir: "+folder+": not a directory")

	p.write(p.path, strings.NewReplacer("credentials-dir: credentials", "", "kind: simulator", "kind: simulator, credentials: [{}]").Replace(mainFile))
	require.Equal(t, "openai/fixed=k0 sim/sim-1=sim-1", p.load().summary())
}

func TestLoadAll_FailsForABadConfigurationFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "nonsense: true")
	_, err := LoadAll(p.path, environment)
	require.ErrorContains(t, err, p.path+":1: nonsense: unknown key")
	var bad Errors
	require.ErrorAs(t, err, &bad)
	_, err = LoadAll(p.path+"x", nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.Truncate(p.path, maxMainBytes+1))
	_, err = LoadAll(p.path, environment)
	require.ErrorContains(t, err, "is larger than 16777216 bytes")
}

func TestLoadAll_RemovesWhatAKilledWriterLeft(t *testing.T) {
	t.Parallel()
	p := newPlace(t, mainFile)
	old, young, other := temporaryPrefix+"1"+temporarySuffix, temporaryPrefix+"2"+temporarySuffix, ".other.tmp"
	for _, name := range []string{old, young, other} {
		p.put(name, `{"api-key": "half of`)
	}
	past := time.Now().Add(-2 * abandonedAfter)
	require.NoError(t, os.Chtimes(p.in(old), past, past))
	require.NoError(t, os.Chtimes(p.in(other), past, past))
	require.Empty(t, p.load().Bad)
	require.NoFileExists(t, p.in(old))
	require.FileExists(t, p.in(young), "somebody may be writing it")
	require.FileExists(t, p.in(other), "somebody else's")
}

func TestLoadAll_BoundsTheNumberOfFiles(t *testing.T) {
	t.Parallel()
	f := newFolder(t.TempDir(), 3)
	for i := range 5 {
		require.NoError(t, os.WriteFile(filepath.Join(f.path, fmt.Sprintf("%d.yaml", i)), []byte("provider: openai\napi-key: k"), 0o600))
	}
	require.True(t, f.refresh(*testParser(""), true))
	require.Equal(t, []string{"0.yaml", "1.yaml", "2.yaml"}, f.names)
	require.Contains(t, f.note, "holds 5 files; the first 3")
}

// Between listing a folder and reading its files one of them may go.
func TestFolder_AFileThatGoesBeforeItIsReadIsNoError(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	root, err := os.OpenRoot(folder)
	require.NoError(t, err)
	defer root.Close()
	gone := staleFile{&folderFile{now: credentialFile{provider: "openai"}}, "gone.yaml", false}
	require.True(t, gone.refresh(*testParser(""), root, folder))
	require.Empty(t, gone.now)
	require.False(t, gone.isCurrent(testParser(""), nil), "should it come back, it is read")
	require.False(t, gone.refresh(*testParser(""), root, folder))
}

func BenchmarkLoadAll_10000Files(b *testing.B) {
	p := newPlace(b, mainFile)
	for i := range 10_000 {
		p.put(fmt.Sprintf("c%05d.json", i), fmt.Sprintf(`{"provider": "openai", "oauth": {"token-url": "https://auth.example/token", "refresh-token": "r%d", "access-token": "a", "expires-at": "2030-01-01T00:00:00Z"}}`, i))
	}
	s := NewSource(p.path, environment)
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Load()
			require.NoError(b, err)
		}
	})
	_, err := s.Load()
	require.NoError(b, err)
	past := time.Now().Add(-time.Hour)
	for _, name := range s.folder.names {
		require.NoError(b, os.Chtimes(p.in(name), past, past))
	}
	require.NoError(b, os.Chtimes(p.path, past, past))
	s.refresh(false)
	b.Run("poll", func(b *testing.B) {
		for b.Loop() {
			require.False(b, s.refresh(false))
		}
	})
}

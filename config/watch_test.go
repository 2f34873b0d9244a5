package config

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// watched is a place with somebody who watches it.
type watched struct {
	place
	reload chan struct{}

	mu     sync.Mutex
	told   []string // what use was called with since it was last asked
	loaded *Loaded  // the last that use was called with
}

// watch runs test in a bubble, with the place that prepare has made being watched.
func watch(t *testing.T, main string, prepare func(place), test func(*watched)) {
	t.Helper()
	t.Parallel()
	p := newPlace(t, main)
	if prepare != nil {
		prepare(p)
	}
	synctest.Test(t, func(t *testing.T) {
		w := &watched{place: p, reload: make(chan struct{})}
		w.t = t
		s := NewSource(p.path, environment)
		_, _ = s.Load()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.Watch(ctx, w.reload, w.use)
		}()
		test(w)
		cancel()
		<-ended
	})
}

func (w *watched) use(loaded *Loaded, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.told = append(w.told, "error: "+strings.ReplaceAll(err.Error(), w.path, "FILE"))
		return
	}
	w.loaded = loaded
	text := loaded.summary()
	for _, bad := range w.problems(loaded) {
		text += "; bad " + bad
	}
	for _, warning := range loaded.Warnings {
		text += "; " + strings.ReplaceAll(warning, filepath.Dir(w.path), "")
	}
	w.told = append(w.told, text)
}

// expect lets a second go by and checks what use was called with.
func (w *watched) expect(want ...string) {
	w.t.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Equal(w.t, want, w.told)
	w.told = nil
}

// replace writes a file as editors do.
func (w *watched) replace(path, text string) {
	w.t.Helper()
	w.write(path+"~", text)
	require.NoError(w.t, os.Rename(path+"~", path))
}

const (
	keyA = `{"provider": "openai", "api-key": "ka"}`
	keyB = `{"provider": "openai", "api-key": "kb"}`

	fixed = "openai/fixed=k0"
)

func withA(p place) { p.put("a.json", keyA) }

func TestHR1_TouchingIsNoChange(t *testing.T) {
	watch(t, mainFile, withA, func(w *watched) {
		now := time.Now()
		require.NoError(t, os.Chtimes(w.path, now, now))
		require.NoError(t, os.Chtimes(w.in("a.json"), now, now))
		w.expect()
		w.write(w.path, "# a comment\n"+mainFile)
		w.expect()
	})
}

func TestHR2_ChangesInARowAreOneChange(t *testing.T) {
	watch(t, mainFile, nil, func(w *watched) {
		for i := range 5 {
			w.put("a.json", fmt.Sprintf(`{"provider": "openai", "api-key": "k%d"}`, i))
			time.Sleep(20 * time.Millisecond)
		}
		w.expect(fixed + " openai/a=k4")
		w.put("b.json", keyB)
		w.replace(w.path, strings.Replace(mainFile, "k0", "k9", 1))
		w.expect("openai/fixed=k9 openai/a=k4 openai/b=kb")
	})
}

func TestHR2_EndlessChangesDoNotKeepOthersWaiting(t *testing.T) {
	watch(t, mainFile, nil, func(w *watched) {
		w.put("a.json", keyA)
		for i := range 40 {
			w.replace(w.in("b.json"), fmt.Sprintf(`{"provider": "openai", "api-key": "k%d"}`, i))
			time.Sleep(25 * time.Millisecond)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		require.NotEmpty(t, w.told)
		require.Contains(t, w.told[0], fixed+" openai/a=ka openai/b=")
	})
}

func TestHR3_WithoutConfigurationTheOldStays(t *testing.T) {
	watch(t, mainFile, withA, func(w *watched) {
		w.write(w.path, "")
		w.expect("error: FILE:1: providers: at least one provider is required")
		w.expect()
		require.NoError(t, os.Remove(w.path))
		w.expect("error: read configuration: open FILE: no such file or directory")
		w.put("b.json", keyB)
		w.expect(fixed + " openai/a=ka openai/b=kb")
		w.write(w.path, mainFile)
		w.expect(fixed + " openai/a=ka openai/b=kb")
		w.put("notes.txt", "x")
		w.write(w.path+".bak", "x")
		w.expect()
	})
}

func TestHR4_AWrittenFileIsOneChange(t *testing.T) {
	watch(t, mainFile, nil, func(w *watched) {
		w.put("a.json", keyA)
		w.expect(fixed + " openai/a=ka")
		w.put("a.json", keyA)
		w.expect()
	})
}

func TestHR5_AReplacedFileCountsByItsContent(t *testing.T) {
	watch(t, mainFile, withA, func(w *watched) {
		w.replace(w.in("a.json"), keyA)
		w.expect()
		w.replace(w.in("a.json"), keyB)
		w.expect(fixed + " openai/a=kb")
		require.NoError(t, WriteFileAtomic(w.in("a.json"), []byte(keyA)))
		w.expect(fixed + " openai/a=ka")
	})
}

func TestHR6_RemovedFilesTakeTheirCredentialsAway(t *testing.T) {
	prepare := func(p place) { withA(p); p.put("b.json", keyB); p.put("c.txt", "x") }
	watch(t, mainFile, prepare, func(w *watched) {
		require.NoError(t, os.Remove(w.in("c.txt")))
		w.expect()
		for range 5 {
			require.NoError(t, os.Remove(w.in("a.json")))
			time.Sleep(10 * time.Millisecond)
			w.put("a.json", keyA)
		}
		require.NoError(t, os.Remove(w.in("a.json")))
		w.expect(fixed + " openai/b=kb")
		require.NoError(t, os.Remove(w.in("b.json")))
		w.expect(fixed)
	})
}

func TestHR7_NewAccessTokensAreNoChange(t *testing.T) {
	login := `{"provider": "openai", "oauth": {"token-url": "https://h/", "refresh-token": "r1", "access-token": "a1"}}`
	prepare := func(p place) {
		p.put("a.json", login)
		p.put("b.json", strings.Replace(login, `"refresh-token": "r1", `, "", 1))
	}
	watch(t, mainFile, prepare, func(w *watched) {
		require.NoError(t, UpdateTokens(w.in("a.json"), "a2", "", time.Now().Add(time.Hour)))
		w.expect()
		require.NoError(t, UpdateTokens(w.in("a.json"), "a3", "r2", time.Now().Add(time.Hour)))
		w.expect(fixed + " openai/a= openai/b=") // whoever made it knows
		require.Equal(t, "a3", w.loaded.Config.Providers[0].Credentials[1].OAuth.AccessToken)
		w.put("b.json", strings.Replace(login, `"refresh-token": "r1", "access-token": "a1"`, `"access-token": "a4"`, 1))
		w.expect(fixed + " openai/a= openai/b=") // by hand: there is no other way to get one
	})
}

func TestHR9_EverySettingIsAChange(t *testing.T) {
	watch(t, mainFile, nil, func(w *watched) {
		w.write(w.path, mainFile+"retry: {max-credentials: 3}\n")
		w.expect(fixed)
		require.Equal(t, 3, w.loaded.Config.Retry.MaxCredentials)
	})
}

func TestHR10_WatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := newPlace(t, mainFile)
	synctest.Test(t, func(t *testing.T) {
		for wait := range 12 { // waiting for the next look, for a change to settle, in use
			s := NewSource(p.path, environment)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				s.Watch(ctx, nil, func(*Loaded, error) { <-ctx.Done() })
			}()
			time.Sleep(time.Duration(wait) * 70 * time.Millisecond)
			cancel()
			<-ended
		}
	})
}

func TestHR12_AnInvalidFileLeavesTheOld(t *testing.T) {
	bad := strings.Replace(mainFile, "api-key: k0", "api-key: k0, weight: -1", 1)
	watch(t, mainFile, withA, func(w *watched) {
		w.replace(w.path, bad)
		w.expect("error: FILE:4: providers[0].credentials[0].weight: must be between 0 and 1000000")
		w.put("a.json", keyB)
		w.expect(fixed + " openai/a=kb")
		w.replace(w.path, mainFile+"retry: {rounds: 2}\n")
		w.expect(fixed + " openai/a=kb")
		require.Equal(t, 2, w.loaded.Config.Retry.Rounds)
	})
}

func TestHR13_ABadFileLeavesTheOthers(t *testing.T) {
	watch(t, mainFile, withA, func(w *watched) {
		w.put("bad.json", `{"provider": "openai", "api-key": "hunter2`)
		w.put("c.json", keyB)
		const bad = "; bad bad.json:1: is not JSON: unexpected end of JSON input"
		w.expect(fixed + " openai/a=ka openai/c=kb" + bad)
		w.put("a.json", "{") // what was good stays
		w.expect(fixed + " openai/a=ka openai/c=kb; bad a.json:1: is not JSON: unexpected end of JSON input" + bad)
		w.put("bad.json", keyB)
		w.put("a.json", keyB)
		w.expect(fixed + " openai/a=kb openai/bad=kb openai/c=kb")
	})
}

// The scenario drops such a prefix; the contract is strict, and what is silently dropped would
// be a model name that nobody can ask for.
func TestHR14_APrefixWithASlashIsRefused(t *testing.T) {
	watch(t, mainFile, nil, func(w *watched) {
		w.write(w.path, strings.Replace(mainFile, "kind: openai", "kind: openai, prefix: a/b", 1))
		w.expect(`error: FILE:4: providers[0].prefix: "a/b" may hold only letters, digits, '.', '_' and '-'`)
	})
}

func TestWatch_FollowsFoldersThatAreReplaced(t *testing.T) {
	folder := strings.TrimSuffix(place{path: "/config.yaml"}.in(""), "/")
	watch(t, mainFile, withA, func(w *watched) {
		require.NoError(t, os.RemoveAll(w.in("")))
		w.expect(fixed + " openai/a=ka; credentials-dir: there is no folder " + folder + "; the credentials that were read from it stay")
		require.NoError(t, os.Mkdir(w.in(""), 0o700))
		w.put("b.json", keyB)
		w.expect(fixed + " openai/b=kb")
		require.NoError(t, os.Rename(w.in(""), filepath.Join(filepath.Dir(w.path), "old")))
		require.NoError(t, os.Mkdir(w.in(""), 0o700))
		w.expect(fixed)
	})
}

func TestWatch_FollowsLinksThatAreTurned(t *testing.T) {
	prepare := func(p place) {
		for _, dir := range []string{"..1", "..2"} {
			require.NoError(p.t, os.Mkdir(p.in(dir), 0o700))
		}
		p.put("..1/a.json", keyA)
		p.put("..2/a.json", keyB)
		require.NoError(p.t, os.Symlink("..1", p.in("..data")))
		require.NoError(p.t, os.Symlink("..data/a.json", p.in("a.json")))
	}
	watch(t, mainFile, prepare, func(w *watched) {
		require.NoError(t, os.Symlink("..2", w.in("..new")))
		require.NoError(t, os.Rename(w.in("..new"), w.in("..data")))
		w.expect(fixed + " openai/a=kb")
	})
}

func TestWatch_FollowsTheSettingsThatFilesDependOn(t *testing.T) {
	prepare := func(p place) {
		withA(p)
		p.put("x.json", `{"provider": "later"}`)
		p.put("robot.json.key", accountKey(t, privateKey(t, true), nil))
		p.put("r.yaml", "provider: openai\nservice-account: {file: robot.json.key}")
	}
	const without = "; bad x.json:1: provider: there is no provider \"later\""
	watch(t, mainFile, prepare, func(w *watched) {
		w.put("robot.json.key", accountKey(t, privateKey(t, true), map[string]string{"project_id": "other"}))
		w.expect(fixed + " openai/a=ka openai/r=" + without)
		require.Equal(t, "other", w.loaded.Config.Providers[0].Credentials[2].Project)
		w.write(w.path, mainFile+"  - {name: later, kind: simulator}\n")
		w.expect(fixed + " openai/a=ka openai/r= later/x=x")
		w.write(w.path, strings.ReplaceAll(mainFile, "name: openai", "name: other")+"  - {name: later, kind: openai}\n")
		w.expect("other/fixed=k0" + "; bad a.json:1: provider: there is no provider \"openai\"" +
			"; bad r.yaml:1: provider: there is no provider \"openai\"; bad x.json:1: api-key: is required and must not be empty")
		other := filepath.Join(filepath.Dir(w.path), "other")
		require.NoError(t, os.Mkdir(other, 0o700))
		w.write(filepath.Join(other, "z.json"), keyB)
		w.write(w.path, strings.Replace(mainFile, "credentials-dir: credentials", "credentials-dir: "+other, 1))
		w.expect(fixed + " openai/z=kb")
		w.write(w.path, strings.Replace(mainFile, "credentials-dir: credentials", "", 1))
		w.expect("error: FILE:5: providers[1].credentials: at least one credential is required unless credentials-dir is set")
	})
}

func TestWatch_SeesChangesThatLeaveSizeAndTimeAlone(t *testing.T) {
	past := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when bubbles begin
	prepare := func(p place) {
		withA(p)
		require.NoError(p.t, os.Chtimes(p.in("a.json"), past, past))
	}
	watch(t, mainFile, prepare, func(w *watched) {
		w.put("a.json", keyB)
		require.NoError(t, os.Chtimes(w.in("a.json"), past, past))
		w.expect(fixed + " openai/a=kb")
		time.Sleep(time.Minute)
		w.replace(w.in("a.json"), keyA)
		require.NoError(t, os.Chtimes(w.in("a.json"), past, past))
		w.expect(fixed + " openai/a=ka")
	})
}

func TestWatch_ReadsOnlyWhatMayHaveChanged(t *testing.T) {
	t.Parallel()
	p := newPlace(t, mainFile)
	past := time.Now().Add(-time.Hour)
	for _, name := range []string{"a.json", "b.json"} {
		p.put(name, strings.Replace(keyA, "ka", "${WORD}", 1))
		require.NoError(t, os.Chtimes(p.in(name), past, past))
	}
	reads := 0
	s := NewSource(p.path, func(string) (string, bool) { reads++; return "k", true })
	_, err := s.Load()
	require.NoError(t, err)
	require.Equal(t, 2, reads)
	require.False(t, s.refresh(false))
	require.Equal(t, 2, reads)
	require.NoError(t, os.Chmod(p.in("b.json"), 0o400))
	require.False(t, s.refresh(false), "nothing about it is different")
	require.Equal(t, 3, reads)
	require.False(t, s.refresh(true))
	require.Equal(t, 5, reads)
}

func TestWatch_ReloadsWhenAsked(t *testing.T) {
	watch(t, mainFile, withA, func(w *watched) {
		w.reload <- struct{}{}
		w.expect(fixed + " openai/a=ka")
		w.write(w.path, "nonsense: true")
		w.reload <- struct{}{}
		w.reload <- struct{}{}
		bad := "error: FILE:1: nonsense: unknown key\nFILE:1: providers: at least one provider is required"
		w.expect(bad, bad)
		w.expect()
	})
}

func TestWatch_WaitsForAFileThatIsToCome(t *testing.T) {
	t.Parallel()
	p := newPlace(t, mainFile)
	require.NoError(t, os.Remove(p.path))
	synctest.Test(t, func(t *testing.T) {
		w := &watched{place: p}
		w.t = t
		s := NewSource(p.path, nil)
		_, err := s.Load()
		require.ErrorIs(t, err, os.ErrNotExist)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Watch(ctx, nil, w.use)
		w.expect()
		w.write(w.path, mainFile)
		w.expect(fixed)
	})
}

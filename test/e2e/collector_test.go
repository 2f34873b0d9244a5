package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/understudyhq/understudy/config"
)

// shown is the one place that everything passes which any gateway of this package shows:
// answers, log lines, events, records, snapshots, the output of programs. It knows every
// secret that any of them was given; TestMain asks it for its verdict.
var shown = newCollector()

// collector looks for secrets in what is shown.
type collector struct {
	mu      sync.Mutex
	needles [][]byte // the forms of all secrets
	known   map[string]bool
	looked  map[string]int // bytes, by where they were shown
	leaks   []string
}

func newCollector() *collector {
	c := &collector{known: map[string]bool{}, looked: map[string]int{}}
	c.add(clientMark)
	c.add(upstreamMark)
	return c
}

// add makes secret one that must not be shown. One that bears a mark is known already.
func (c *collector) add(secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	marked := strings.Contains(secret, clientMark) || strings.Contains(secret, upstreamMark)
	if c.known[secret] || marked && secret != clientMark && secret != upstreamMark {
		return
	}
	c.known[secret] = true
	c.needles = append(slices.Clip(c.needles), forms(secret)...) // it is read without the lock
}

// knows reports whether secret was added.
func (c *collector) knows(secret string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[secret]
}

// look returns what text gives away; "" = nothing.
func (c *collector) look(where string, text []byte) string {
	c.mu.Lock()
	needles := c.needles
	c.looked[where] += len(text)
	c.mu.Unlock()
	if !slices.ContainsFunc(needles, func(needle []byte) bool { return bytes.Contains(text, needle) }) {
		return ""
	}
	leak := fmt.Sprintf("a secret in a %s: %.2000s", where, text)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaks = append(c.leaks, leak)
	return leak
}

// verdict returns what is wrong with all that was shown; "" = nothing. A place that nothing
// was seen of is wrong too, if everything ran.
func (c *collector) verdict(everything bool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	problems := slices.Clone(c.leaks)
	for _, where := range []string{"answer", "header", "log line", "event", "credential", "record", "snapshot", "output"} {
		if everything && c.looked[where] == 0 {
			problems = append(problems, "nobody looked for secrets in any "+where)
		}
	}
	return strings.Join(problems, "\n")
}

// forms returns what a secret looks like as it is, in hex and inside of base64, where its
// bytes begin at any of three places.
func forms(secret string) [][]byte {
	all := [][]byte{[]byte(secret), []byte(hex.EncodeToString([]byte(secret))), fmt.Appendf(nil, "%X", secret)}
	for before, cut := range []int{0, 2, 3} { // characters that depend on what is before
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(append(make([]byte, before), secret...))
			whole := (before + len(secret)) * 8 / 6 // the last one may depend on what is behind
			all = append(all, []byte(text[cut:whole]))
		}
	}
	return all
}

// inspect fails the test if a secret has got where it does not belong.
func inspect(t *testing.T, where string, text []byte) {
	t.Helper()
	if leak := shown.look(where, text); leak != "" {
		t.Error(leak)
	}
}

// guard makes every secret of cfg one that must not be shown.
func (c *collector) guard(cfg *config.Config) { c.guardIn(reflect.ValueOf(cfg)) }

// guardIn finds the settings below v that the configuration marks as secret.
func (c *collector) guardIn(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			c.guardIn(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.guardIn(v.Index(i))
		}
	case reflect.Struct:
		if account, ok := v.Interface().(config.ServiceAccount); ok {
			c.guardKey(account.Key)
			return
		}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			marks := strings.Split(field.Tag.Get("config"), ",")
			switch {
			case field.Type.Kind() == reflect.String && slices.Contains(marks, "secret"):
				c.guardSetting(field.Tag.Get("yaml"), v.Field(i).String())
			case field.IsExported():
				c.guardIn(v.Field(i))
			}
		}
	}
}

// guardSetting guards one setting. What is shorter than eight bytes is a word that any
// answer may hold.
func (c *collector) guardSetting(key, secret string) {
	if key == "proxy-url" {
		u, err := url.Parse(secret)
		if err != nil {
			return
		}
		secret, _ = u.User.Password()
	}
	if len(secret) >= 8 {
		c.add(secret)
	}
}

// guardKey guards some lines of a service account's private key: however it is printed, its
// lines stay whole.
func (c *collector) guardKey(key string) {
	for i, line := range strings.Split(strings.ReplaceAll(key, `\n`, "\n"), "\n") {
		if len(line) == 64 && i%8 == 1 {
			c.add(line)
		}
	}
}

// watched lets everything that client receives be looked at, as it comes.
func watched(t *testing.T, client *http.Client) *http.Client {
	client.Transport = witness{t, client.Transport}
	return client
}

// witness is a client's transport that looks at answers.
type witness struct {
	t    *testing.T
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (w witness) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	inspect(w.t, "header", fmt.Append(nil, resp.Status, resp.Header))
	resp.Body = &witnessed{ReadCloser: resp.Body, look: func(text []byte) { inspect(w.t, "answer", text) }}
	return resp, nil
}

// CloseIdleConnections makes http.Client's method of that name reach the transport.
func (w witness) CloseIdleConnections() {
	(&http.Client{Transport: w.next}).CloseIdleConnections()
}

// overlap is how much of the last piece is looked at again with the next, so that no secret
// hides by being cut in two.
const overlap = 256

// witnessed is a body that is looked at piece by piece.
type witnessed struct {
	io.ReadCloser

	look func(text []byte)
	last []byte // the end of what was read before
}

// Read implements io.Reader.
func (w *witnessed) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if n > 0 {
		piece := p[:n]
		w.look(piece)
		seam := slices.Concat(w.last, piece[:min(n, overlap)])
		w.look(seam)
		if n < overlap {
			w.last = slices.Clone(seam[max(0, len(seam)-overlap):])
		} else {
			w.last = slices.Clone(piece[n-overlap:])
		}
	}
	return n, err
}

// defaultLog is where the program's default loggers write, which gateways must not use.
type defaultLog struct{}

func (defaultLog) Write(line []byte) (int, error) {
	shown.look("line of the default log", line)
	return os.Stderr.Write(line)
}

// suite runs the tests of this package and then asks for the verdict.
type suite struct{ m interface{ Run() int } }

// Run returns the exit code.
func (s suite) Run() int {
	code := s.m.Run()
	if problem := shown.verdict(code == 0 && isWhole()); problem != "" {
		fmt.Fprintln(os.Stderr, problem)
		return 1
	}
	return code
}

// isWhole reports whether all tests of the package have run.
func isWhole() bool {
	for _, name := range []string{"test.run", "test.skip"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return !testing.Short() && flag.Lookup("test.list").Value.String() == ""
}

package capture

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseName_ReadsWhatStringWrites(t *testing.T) {
	t.Parallel()
	for _, n := range []Name{
		{At: start, Failed: true, Status: 502, ID: "ABC"},
		{At: start, Status: 200, ID: "a.b_c-d.2"},
	} {
		got, ok := ParseName(n.String())
		require.True(t, ok)
		require.Equal(t, n, got)
	}
}

func FuzzParseName(f *testing.F) {
	for _, name := range []string{
		"20300102T030405.006-failed-502-id.txt", "20300102T030405.006-served-200-..txt", "20300102T030405.006-failed-502-../../x.txt",
		"20309902T030405.006-failed-502-id.txt", "../x", "", "20300102T030405.006-failed-502-id.txt\x00", "C:20300102T030405.006-failed-502-id.txt",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, file string) {
		n, ok := ParseName(file)
		if !ok {
			return
		}
		require.Equal(t, file, n.String())
		require.True(t, filepath.IsLocal(file))
		require.Equal(t, file, filepath.Base(file))
		require.NotContains(t, file, "\\")
	})
}

// masked returns what a masker makes of pieces.
func masked(pieces ...string) string {
	var out bytes.Buffer
	m := newMasker(&out)
	for _, p := range pieces {
		_, _ = m.Write([]byte(p))
	}
	m.end()
	return out.String()
}

func TestMasker_ShowsHowAndNotWhat(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, want string }{
		"chat":           {`{"model":"gpt-5.5","messages":[{"role":"user","content":"secret"}],"max_tokens":12,"stream":true}`, `{"model":"gpt-5.5","messages":[{"role":"user","content":"***"}],"max_tokens":12,"stream":true}`},
		"space":          {"{ \"role\" : \"user\" ,\n \"text\" : \"secret\" }", "{ \"role\" : \"user\" ,\n \"text\" : \"***\" }"},
		"lists":          {`{"input":["a","b"],"model":["x"]}`, `{"input":["***","***"],"model":["***"]}`},
		"numbers":        {`{"age":42,"input":[1,-2.5e3],"usage":{"total_tokens":3}}`, `{"age":***,"input":[***,***],"usage":{"total_tokens":3}}`},
		"escapes":        {`{"text":"a\"model\":\"b","x":"\\"}`, `{"text":"***","x":"***"}`},
		"odd names":      {`{"John Smith":1,"é":true}`, `{"***":***,"***":true}`},
		"shown no prose": {`{"model":"tell me a secret","type":"x-1"}`, `{"model":"***","type":"x-1"}`},
		"nested":         {`{"model":{"text":"secret"}}`, `{"model":{"text":"***"}}`},
		"events":         {"event: delta\ndata: {\"type\":\"delta\",\"text\":\"secret\"}\n\ndata: [DONE]\n\n: comment\n", "event: ***\ndata: {\"type\":\"delta\",\"text\":\"***\"}\n\ndata: [DONE]\n\n: ***\n"},
		"cut off":        {`{"model":"gpt`, `{"model":"***"`},
		"cut off, name":  {`{"model"`, `{"***"`},
		"prose":          {"It's 42 & more <p>", "***'*** *** * *** ****"},
		"long":           {`{"model":"` + strings.Repeat("x", 100) + `"}`, `{"model":"***"}`},
		"nothing":        {"", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "prose" {
				for _, word := range []string{"It", "42", "more", "p>"} {
					require.NotContains(t, masked(tt.in), word)
				}
				return
			}
			require.Equal(t, tt.want, masked(tt.in))
			require.Equal(t, tt.want, masked(strings.Split(tt.in, "")...), "byte by byte")
		})
	}
}

// Whatever surrounds it, a text of prose is not shown, JSON without numbers stays JSON, and it
// does not matter in which pieces the input comes.
func FuzzMasker(f *testing.F) {
	f.Add(`{"model":"m","messages":[{"content":"`, `"}]}`, 3)
	f.Add("data: {\"type\":\"", "\"}\n\n", 0)
	f.Add(`"`, `\"`, 1)
	f.Fuzz(func(t *testing.T, before, after string, at int) {
		const prose = "hunter two"
		in := before + prose + after
		got := masked(in)
		require.NotContains(t, got, prose)
		cut := min(max(at, 0), len(in))
		require.Equal(t, got, masked(in[:cut], in[cut:]))
		if json.Valid([]byte(in)) && !strings.ContainsAny(in, "0123456789") {
			require.True(t, json.Valid([]byte(got)), "%q became %q", in, got)
		}
	})
}

// hiddenIn returns what a hider makes of pieces.
func hiddenIn(s *secrets, pieces ...string) string {
	var out bytes.Buffer
	h := s.writer(&out)
	for _, p := range pieces {
		_, _ = h.Write([]byte(p))
	}
	_ = h.Close()
	return out.String()
}

func TestHider_MasksTheLongestFirst(t *testing.T) {
	t.Parallel()
	var s secrets
	for _, secret := range []string{"abcd", "abcdefgh", "xyz", "bcde1"} {
		s.add(secret)
	}
	require.Equal(t, "-*** ***x ***-xyz", hiddenIn(&s, "-abcd abcdefghx abcd-xyz"), "three bytes are no secret")
	require.Equal(t, "***e", hiddenIn(&s, "abc", "de"))
	require.Equal(t, "plain", hiddenIn(&secrets{}, "pla", "in"))
}

func FuzzHider(f *testing.F) {
	f.Add("before sk-secret after", "sk-secret", "secret after", 9)
	f.Add("aaaaaaaaa", "aaaa", "aaaaa", 4)
	f.Fuzz(func(t *testing.T, text, a, b string, at int) {
		var s secrets
		s.add(a)
		s.add(b)
		cut := min(max(at, 0), len(text))
		got := hiddenIn(&s, text[:cut], text[cut:])
		require.Equal(t, hiddenIn(&s, text), got)
		for _, secret := range s.list {
			if !strings.Contains(secret, "*") { // else masks may spell it
				for part := range strings.SplitSeq(got, mask) {
					require.NotContains(t, part, secret)
				}
			}
		}
	})
}

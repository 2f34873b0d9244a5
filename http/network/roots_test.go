package network

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// certificate returns one in PEM.
func certificate(t testing.TB) string {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func TestReadRoots_IsStrict(t *testing.T) {
	t.Parallel()
	good := certificate(t)
	for name, tt := range map[string]struct{ text, problem string }{
		"one":                   {good, ""},
		"two, and words":        {"# ours\n" + good + "\n# theirs\n" + good, ""},
		"lines of Windows":      {strings.ReplaceAll(good, "\n", "\r\n"), ""},
		"empty":                 {"", "no certificate in PEM format"},
		"something else":        {"hello", "no certificate in PEM format"},
		"a key":                 {strings.ReplaceAll(good, "CERTIFICATE", "PRIVATE KEY"), "block 1 of the PEM is no certificate"},
		"no certificate inside": {"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n", "certificate 1: "},
		"a broken one first":    {strings.Replace(good, "\n", "\n!", 1) + good, "only 1 of 2 blocks of the PEM can be read"},
		"cut short":             {good + good[:len(good)/2], "only 1 of 2 blocks of the PEM can be read"},
		"too large":             {strings.Repeat("#", maxRootsBytes) + "\n" + good, "larger than"},
	} {
		file := filepath.Join(t.TempDir(), "ca.pem")
		require.NoError(t, os.WriteFile(file, []byte(tt.text), 0o600))
		roots, err := ReadRoots(file)
		if tt.problem == "" {
			require.NoError(t, err, name)
			require.NotNil(t, roots)
			continue
		}
		require.ErrorContains(t, err, tt.problem, name)
		require.ErrorContains(t, err, file, name)
	}
	missing := filepath.Join(t.TempDir(), "missing.pem")
	_, err := ReadRoots(missing)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, missing)
	_, err = ReadRoots(t.TempDir())
	require.ErrorContains(t, err, "not a regular file")
}

func TestRoots_AreEqualByContent(t *testing.T) {
	t.Parallel()
	one, other := certificate(t), "\n"+certificate(t)
	parse := func(text string) *Roots {
		r, err := parseRoots([]byte(text))
		require.NoError(t, err)
		return r
	}
	require.True(t, parse(one).Equal(parse(one)))
	require.False(t, parse(one).Equal(parse(other)))
}

func FuzzParseCertificates(f *testing.F) {
	good := certificate(f)
	f.Add([]byte(good))
	f.Add([]byte(good + "# between\n" + good))
	f.Add([]byte(good[:len(good)/2]))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		certificates, err := parseCertificates(text)
		if err != nil {
			require.Empty(t, certificates)
			return
		}
		require.NotEmpty(t, certificates)
		// What was read says the same when it is written again.
		var again bytes.Buffer
		for _, c := range certificates {
			require.NoError(t, pem.Encode(&again, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
		}
		second, err := parseCertificates(again.Bytes())
		require.NoError(t, err)
		require.Len(t, second, len(certificates))
	})
}

package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm/wire"
)

func TestDataURL_TakesThemApart(t *testing.T) {
	t.Parallel()
	for url, want := range map[string][2]string{
		"data:image/png;base64,iVBORw0K":            {"image/png", "iVBORw0K"},
		"data:text/plain;charset=utf-8;base64,YQ==": {"text/plain", "YQ=="},
		"data:text/plain,a%20b":                     {"text/plain", "YSBi"},
		"data:;base64,YQ==":                         {"", "YQ=="},
	} {
		mime, data, ok := wire.DataURL(url)
		require.True(t, ok, url)
		require.Equal(t, want, [2]string{mime, data}, url)
	}
	for _, url := range []string{"", "https://x.example/a", "data:", "data:image/png;base64,", "data:text/plain,%zz"} {
		_, _, ok := wire.DataURL(url)
		require.False(t, ok, url)
	}
}

func TestSniff_KnowsWhatDataBeginsWith(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"iVBORw0KGgo=": "image/png", "/9j/4AAQ": "image/jpeg", "R0lGODdh": "image/gif", "UklGRg": "image/webp", "JVBERi0x": "application/pdf", "AAAA": "x/y", "": "x/y",
	} {
		require.Equal(t, want, wire.Sniff(data, "x/y"), data)
	}
}

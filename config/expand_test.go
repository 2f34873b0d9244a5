package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExpand_ReplacesVariables(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                              "",
		"plain":                         "plain",
		"${WORD}":                       "hunter2",
		"a${WORD}b${PORT}c":             "ahunter2b9000c",
		"${EMPTY}":                      "",
		"${EMPTY:-x}":                   "x",
		"${MISSING:-x}":                 "x",
		"${MISSING:-}":                  "",
		"${MISSING:-a:-b}":              "a:-b",
		"${WORD:-x}":                    "hunter2",
		"$":                             "$",
		"$WORD":                         "$WORD",
		"$X-Foo":                        "$X-Foo",
		"a$$b$":                         "a$$b$",
		"$${WORD}":                      "${WORD}",
		"$$${WORD}":                     "$${WORD}",
		"$${WORD} ${WORD}":              "${WORD} hunter2",
		"}{$}":                          "}{$}",
		"$2a$10$ab.cd/ef":               "$2a$10$ab.cd/ef",
		"${HOST}:${PORT}/${MISSING:-$}": "127.0.0.1:9000/$",
	}
	for in, want := range tests {
		got, err := expand(in, environment)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
}

func TestExpand_RefusesBadReferences(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"${MISSING}":         "environment variable MISSING is not set",
		"${":                 "no closing }",
		"a${WORD":            "no closing }",
		"${}":                "must hold the name",
		"${:-x}":             "must hold the name",
		"${1A}":              "must hold the name",
		"${A B}":             "must hold the name",
		"${A-x}":             "must hold the name",
		"${MISSING:-${WORD}": "must not hold another ${",
	}
	for in, want := range tests {
		_, err := expand(in, environment)
		require.ErrorContains(t, err, want, in)
	}
}

func TestExpand_DoesNotExpandValuesAgain(t *testing.T) {
	t.Parallel()
	got, err := expand("${A}", func(string) (string, bool) { return "${A}", true })
	require.NoError(t, err)
	require.Equal(t, "${A}", got)
}

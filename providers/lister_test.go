package providers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestReadModelNames_ReadsAnArray(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body, list string
		want       []string
	}{
		{`{"data":[{"id":"a"},{"id":"b"}]}`, "data", []string{"a", "b"}},
		{`{"data":[{"id":""},{"name":"x"},7,null,{"id":"b"}]}`, "data", []string{"b"}},
		{`{"data":[]}`, "data", []string{}},
		{` [{"id":"a"}]`, "@this", []string{"a"}},
	}
	for _, tt := range tests {
		names, err := providers.ReadModelNames([]byte(tt.body), tt.list, "id")
		require.NoError(t, err, tt.body)
		require.Equal(t, tt.want, names, tt.body)
	}
}

func TestReadModelNames_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := providers.ReadModelNames([]byte(`{"data":[{"id":"a"}`), "data", "id")
	require.EqualError(t, err, "read model list: not valid JSON")
	_, err = providers.ReadModelNames([]byte(`{"data":{"id":"a"}}`), "data", "id")
	require.EqualError(t, err, `read model list: no array "data"`)
}

func FuzzReadModelNames(f *testing.F) {
	f.Add(`{"data":[{"id":"a"},{"id":"b"}]}`)
	f.Add(`{"data":[{"id":{"id":1}},[],"x"]}`)
	f.Add(`{"data":[`)
	f.Fuzz(func(t *testing.T, body string) {
		names, err := providers.ReadModelNames([]byte(body), "data", "id")
		if err != nil {
			require.Nil(t, names)
		}
		require.NotContains(t, names, "")
	})
}

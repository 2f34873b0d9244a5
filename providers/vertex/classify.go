package vertex

import (
	"strings"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/gemini"
)

// Classify implements providers.Provider.
func (Provider) Classify(a providers.Answer) providers.Outcome {
	return providers.Classify(a, readSignals)
}

// readSignals reads what the Gemini API's errors say too, and how Vertex says that a
// project or a location does not have the model.
func readSignals(a providers.Answer) providers.Signals {
	s := gemini.Signals(a)
	if s.Kind == "" && lacksModel(s.Message) {
		s.Kind = providers.ModelUnsupported
	}
	return s
}

// lacksModel knows "Publisher Model `projects/…/models/NAME` was not found or your project
// does not have access to it.", "… is not servable in region us-central1." and "Project is
// not allowed to use Publisher Model …". All begin so, before anything a request could say.
func lacksModel(message string) bool {
	text := strings.ToLower(message)
	if strings.HasPrefix(text, "project is not allowed to use publisher model") {
		return true
	}
	rest, ok := strings.CutPrefix(text, "publisher model ")
	if quoted, isQuoted := strings.CutPrefix(rest, "`"); isQuoted {
		_, rest, ok = strings.Cut(quoted, "` ")
	}
	return ok && (strings.HasPrefix(rest, "was not found") || strings.HasPrefix(rest, "is not servable in region"))
}

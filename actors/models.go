package actors

import "github.com/understudyhq/understudy/providers"

// ModelInfo is one name that clients can use now.
type ModelInfo struct {
	Name     string
	Provider string             // the first upstream that serves it
	Formats  []providers.Format // in which it is served without translation
}

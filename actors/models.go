package actors

import "github.com/understudyhq/understudy/internal/roster"

// ModelInfo is one name that clients can use now.
type ModelInfo = roster.Model

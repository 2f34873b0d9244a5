package ledger

import (
	"time"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/roster"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Record tells of one request what was asked, what was decided and why, and what came of it
// (routing rules, section 9). It holds neither secrets nor contents. Once given to the engine
// it is not changed any more.
type Record struct {
	RequestID string
	At        time.Time        // when the request came
	Client    string           // name of the client's key; empty = open access
	FormatIn  providers.Format // the client's
	FormatOut providers.Format // the upstream's; empty = nobody was asked
	Operation providers.Operation
	Asked     string          // the model as the client named it
	Used      string          // the name it was served under: another one after a fallback
	Source    session.Source  // what the session was recognised by; empty = no session
	Session   session.Key     // hashed
	Strategy  config.Strategy // empty = nobody was asked
	Attempts  []AttemptRecord
	Rejected  *roster.Field // who was not ready when nobody was left; nil = it did not come to that
	Lost      []string      // what of the request the upstream's format could not say: paths
	Dropped   int           // encrypted reasoning items left out, which the credential could not read
	Status    int           // what the client got; 499 = it went away
	Outcome   providers.Kind
	Err       string        // what the client was told, if that was the gateway's own
	Queued    time.Duration // from arrival to the first question to the engine
	Waited    time.Duration // for somebody to be ready
	FirstByte time.Duration // from arrival to the answer's first payload byte; 0 = none
	Total     time.Duration
	Overhead  time.Duration   // of Total, neither waiting nor with an upstream
	Usage     providers.Usage // of the attempt that served
}

// AttemptRecord tells of one attempt.
type AttemptRecord struct {
	Credential providers.CredentialID
	Provider   string
	Model      string // the upstream's own name
	Route      string // the client's name that led there
	Why        Why
	Field      *roster.Field  // what it was picked from
	Outcome    providers.Kind // what it means for the credential
	Status     int            // the upstream's; 0 = it did not answer
	Reason     string
	BeganAt    time.Duration // since arrival
	Waited     time.Duration // before it, for somebody to be ready
	FirstByte  time.Duration // since it began; 0 = none
	Total      time.Duration
}

// RecordsKept is how many records are remembered.
const RecordsKept = 10_000

// Why says why a credential was picked.
type Why string

// Reasons for a pick.
const (
	WhyPin      Why = "pin"      // state that the request needs lies there
	WhyBound    Why = "bound"    // it serves this session
	WhyWarm     Why = "warm"     // it served this session before
	WhyStrategy Why = "strategy" // the strategy chose it
	WhyProbe    Why = "probe"    // it rests: the request finds out whether it must go on
	WhyOnly     Why = "only"     // nothing else was ready
)

package actors

import "github.com/understudyhq/understudy/actors/ledger"

// What is told of the engine. The ledger keeps it; see there.
type (
	// Fact is something that happened in the engine.
	Fact = ledger.Fact
	// Event is one fact as subscribers see it.
	Event = ledger.Event
	// CredentialJoined says that a credential can be picked from now on, or was changed.
	CredentialJoined = ledger.CredentialJoined
	// CredentialLeft says that a credential was removed.
	CredentialLeft = ledger.CredentialLeft
	// CredentialDown says that a credential's actor failed and is not picked until it is back.
	CredentialDown = ledger.CredentialDown
	// CredentialUp says that a credential's actor is back.
	CredentialUp = ledger.CredentialUp
	// TokenRenewed says until when a credential's access token is good.
	TokenRenewed = ledger.TokenRenewed
	// ModelLeft says that a model of a credential was not used for long.
	ModelLeft = ledger.ModelLeft
	// Rested says that a credential or one of its models rests, or does no longer.
	Rested = ledger.Rested
	// SessionBound says which credential serves a session from now on.
	SessionBound = ledger.SessionBound
	// SessionExpired says that a session has no credential any more.
	SessionExpired = ledger.SessionExpired
	// SessionsLost says that all sessions have lost their credential.
	SessionsLost = ledger.SessionsLost
	// Attempted says how one lease ended.
	Attempted = ledger.Attempted
	// Supervised says that an actor failed and what was done about it.
	Supervised = ledger.Supervised
	// ConfigChanged says that another configuration runs.
	ConfigChanged = ledger.ConfigChanged
	// Recorded says that a request has been answered, or could not be.
	Recorded = ledger.Recorded

	// Snapshot is what the engine knows at one instant.
	Snapshot = ledger.Snapshot
	// CredentialView is one credential at one instant.
	CredentialView = ledger.CredentialView
	// ModelView is one model of a credential at one instant.
	ModelView = ledger.ModelView
	// LastError is what a credential failed with last.
	LastError = ledger.LastError
	// UsageRow counts what was served on one day, by model, credential and client.
	UsageRow = ledger.UsageRow
	// Served is one name that clients can use, and who could serve it.
	Served = ledger.Served
	// Candidate is a credential that could serve a name.
	Candidate = ledger.Candidate
	// Record tells of one request what was asked, what was decided and why.
	Record = ledger.Record
	// AttemptRecord tells of one attempt.
	AttemptRecord = ledger.AttemptRecord
	// Why says why a credential was picked.
	Why = ledger.Why
)

// Reasons for a pick.
const (
	WhyPin      = ledger.WhyPin
	WhyBound    = ledger.WhyBound
	WhyWarm     = ledger.WhyWarm
	WhyStrategy = ledger.WhyStrategy
	WhyProbe    = ledger.WhyProbe
	WhyOnly     = ledger.WhyOnly
)

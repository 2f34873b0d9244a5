// Package actors is the engine: it holds the state of credentials, models and sessions in
// actors and answers, for every request, which credential may be used now.
//
//	gateway            guardian: keeps the plan; ends the engine when a child cannot be kept alive
//	├── ledger         counts, snapshots, subscribers
//	├── router         Acquire -> rank -> hand over; refused -> next candidate
//	├── sessions       one child for each binding; a lost one is simply made again
//	│   └── session    which credential serves a session, and its TTL
//	└── credentials    spawns, removes, respawns with backoff
//	    └── credential one credential: its secret, its rest as a whole
//	        └── model  one (credential, model): its cooldown and its leases; grants
//
// Owners own, the router only indexes: its read model may be stale, so it only ranks, and
// a model that rests sends the grant back. One acquire is System -> router -> model -> the
// asker; the first for a model goes by its credential, which spawns the model. One report is
// System -> model, and from there facts go up to the credential, the router and the ledger.
//
//	actor        takes                                                        answers
//	guardian     apply, planWanted, shutDown                                  apply
//	router       acquire, refused, abandoned, joined, modelUp, modelDown,     denied, []ModelInfo
//	             configure, modelsListed, listModels, announced,
//	             sessionsAnnounced, settle, facts
//	credentials  apply, applyDue, announce, modelsListed, respawn, retired,   applied
//	             rotated
//	credential   grant, wideOutcome, modelChanged, revive, wake,              rotated
//	             rotate, configure, announce, retire
//	model        grant, reported, wake, rotate, wideRested, configure,        Lease
//	             announce, retire
//	sessions     Bind, expiring, lost, configure, announce, CredentialLeft    -
//	session      Bind, expire, announce, CredentialLeft                       -
//	ledger       every Fact, takeSnapshot, subscribe, unsubscribe             Snapshot
//
// What an actor must not lose when it is restarted (rests, open leases) is kept in a memory
// that its incarnations share and nobody else touches. Messages are on top of the file of
// the actor that takes them; they are values and are not changed once sent.
package actors

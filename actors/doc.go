// Package actors is the engine: it holds the state of credentials, models and sessions in
// actors and answers, for every request, which credential may be used now.
//
//	gateway            guardian: keeps the plan; ends the engine when a child cannot be kept alive
//	├── ledger         (ledger) counts, snapshots, records of requests, subscribers
//	├── pins           (memory) where things were made that exist there only
//	├── transcripts    (memory) conversations that no upstream remembers
//	├── sockets        (socket) one child for each socket of a client; which upstreams take none
//	│   └── socket     what of it runs when, and its links to upstreams
//	├── router         Acquire -> rank -> hand over; refused -> next candidate; lets requests wait
//	├── sessions       one child for each binding; a lost one is simply made again
//	│   └── session    which credentials serve a session, and its TTL
//	└── credentials    spawns, removes, respawns with backoff
//	    └── credential one credential: its secret, its rest as a whole, how many leases it may have
//	        └── model  one (credential, model): its cooldown and its leases; grants
//
// Owners own, the router only indexes: its read model may be stale, so it only ranks, and
// a model that rests sends the grant back. One acquire is System -> router -> model -> the
// asker; it goes by the credential where that has to decide: for the first lease of a model,
// if its leases have a limit, and for a probe of its rest. One report is System -> model, and
// from there facts go up to the credential, the router and the ledger. What only the router
// can see, it tells the owner: that nobody else is left (spare).
//
//	actor        takes                                                        answers
//	guardian     apply, planWanted, shutDown                                  apply
//	router       acquire, forsaken, waited, refused, lostGrant, abandoned,    denied, []ModelInfo
//	             released, load, unprobed, joined, modelUp, modelDown, named,
//	             configure, modelsListed, listModels, catalogWanted, announced,
//	             sessionsAnnounced, settle, facts
//	credentials  apply, applyDue, announce, modelsListed, respawn, retired,   applied, operated
//	             rotated, accountOutcome, drain, reset
//	credential   grant, freed, wideOutcome, modelChanged, revive, wake,       rotated
//	             rotate, configure, announce, retire, resetRests, restEnded   operated
//	model        grant, reported, spare, wake, rotate, wideRested, configure,   Lease
//	             announce, retire, endRest
//	sessions     Bind, expiring, lost, configure, announce, unbind,           []SessionView, int
//	             describeSessions, endSessions
//	session      bind, expire, announce, unbind                               -
//	pins         Made, Whose, pinsDue                                         []Origin
//	transcripts  Turned, TranscriptOf, turnsDue                               []byte
//	sockets      Open, Linkable, LinkRefused                                  Opened, bool
//	socket       Asked, Ended, Gone, Leave, Borrow, Return, due               Borrowed
//	ledger       every Fact, Keep, ListRecords, FindRecord, TakeSnapshot,     Snapshot, []*Record,
//	             ListSessions, ListUsage, ListMembers, Watch, Subscribe,      *Record, Sessions, []UsageRow,
//	             Unsubscribe                                                  []Member
//
// What an actor must not lose when it is restarted (rests, open leases) is kept in a memory
// that its incarnations share and nobody else touches. Messages are on top of the file of
// the actor that takes them; they are values and are not changed once sent.
package actors

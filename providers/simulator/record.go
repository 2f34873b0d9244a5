package simulator

import "time"

// Record is what an upstream saw of one request of a credential.
type Record struct {
	// Credential is the ID of the one that asked.
	Credential string
	// Name is part of every id in the answer. Equal bodies have equal names.
	Name string
	// Path is the request's, without its query.
	Path string
	// StartedAt is when the request was there, EndedAt when its answer was written or given up.
	StartedAt, EndedAt time.Time
	// Status is the answer's; 0 = the connection ended before its head.
	Status int
	// Whole says that all of the answer was written.
	Whole bool
}

// record tells the observer of the exchange, if it was a request of a credential.
func (x *exchange) record(whole bool) {
	if x.upstream.observe == nil || x.startedAt.IsZero() {
		return
	}
	x.upstream.observe(Record{
		Credential: x.credential.id, Name: x.name, Path: x.r.URL.Path,
		StartedAt: x.startedAt, EndedAt: time.Now(), Status: x.status, Whole: whole,
	})
}

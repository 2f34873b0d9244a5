// Package stage is what actors stand on: the parts of an actor runtime that protoactor-go
// leaves to its users, or gets wrong. Each is small and knows nothing of the others' use:
// a lean mailbox, a guard around Receive, asking from plain goroutines, supervision with a
// true backoff, alarms, and feeds to callbacks outside of actors.
package stage

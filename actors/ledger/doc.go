// Package ledger holds the actor that keeps the engine's books: what happened to credentials,
// sessions and requests, for whoever looks on. It hears facts and decides nothing; no request
// waits for it.
package ledger

// Package understudy is an LLM routing gateway to embed: it holds many upstream credentials
// and decides, request by request, which of them serves. When one cannot go on, another
// steps in and the client does not notice.
//
// It serves three uses. Handler is a complete gateway for the OpenAI, Anthropic and Gemini
// APIs, to be mounted in any net/http server. Acquire is the engine alone, for a host that
// makes the upstream calls itself. WithActorSystem puts the engine's actors into a host's
// own protoactor system, under one guardian.
//
// The promise of compatibility covers this package, config and providers. actors and http
// can be imported without one; the rest is internal.
package understudy

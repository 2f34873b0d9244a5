// Package simulator is an upstream that needs no network and costs nothing: for trying the
// gateway, for its tests and for load. It answers every format, completely and always the
// same way: the same request gets the same answer from every credential, ids included. Only
// the cached tokens it reports differ, and what only the account can read that made it.
//
// [New] builds an [Upstream], which is an http.Handler and can be called in process through
// [Upstream.Transport]. [Provider] is the adapter the gateway talks to it with.
//
// # What it answers
//
// The answer depends on the last user text, the last text part of the last user message:
//
//   - "echo: some words" is answered with "some words";
//   - "call NAME" is answered with a call to the tool NAME, if the request declares it, with
//     sample arguments made from its schema. A forced or required tool is called as well;
//   - everything else gets a sentence that names the model and the number of the turn, or
//     sample data if the request asks for output of a JSON schema. After a tool result the
//     sentence quotes it, and no tool is called.
//
// Marks anywhere in the last user text change the answer's shape and pace: [[words=200]]
// asks for so many words, [[delay=250ms]] waits before the first byte, [[chunk=300ms]]
// between two stream chunks. A stream has one chunk per word. An answer that is longer than
// the request's token limit is cut there and says so.
//
// # What it counts
//
// Every text is one token per started four bytes. Each credential has a prompt cache of its
// own that keeps the growing prefix of every prompt it served: system and tools, then one
// message after the other. Usage reports the longest cached prefix as cached tokens, with no
// minimum, so that small conversations show it too. Anthropic's cache writes are reported if
// the request sets cache_control anywhere.
//
// # What it remembers
//
// An account, or a credential that has none, knows its own answers, in bounded memory, and
// nobody else's:
//
//   - a Responses answer can be gone on from with previous_response_id and, unless it was
//     not to be stored, be asked for by its id. Elsewhere it is a 400
//     previous_response_not_found, or a 404;
//   - a conversation belongs to the account that named it first; elsewhere it is a 404;
//   - an Anthropic message thread goes on only where it was created; elsewhere it is a 404
//     thread_not_found;
//   - reasoning.encrypted_content in include begins an answer with a reasoning item. It can
//     be read by its account alone; elsewhere it is a 400 invalid_encrypted_content.
//
// What was said before counts as if the client had sent it again.
//
// # What goes wrong
//
// A credential's fault script, or a function set with [Upstream.SetFault], makes requests
// fail, hang or break off, whatever they ask for. [Options].Limits bounds the requests of an
// account. [Options].Observe tells what came of each request.
//
// # What it leaves out
//
// One choice per answer, function tools only, no reasoning in words. A response in the
// background is done at once.
package simulator

// Package llm is the canonical form of requests to language models and of their answers:
// a superset of what the wire formats can say, in no vendor's words.
//
// Each format is one [Codec] in a subpackage. A request is decoded by the client's codec
// and encoded by the upstream's; the answer goes the other way as [Event]s. So four codecs
// serve twelve directed pairs. Requests whose upstream speaks the client's format never come
// here: they are relayed byte for byte.
//
// Four rules keep the codecs apart from each other:
//
//   - A decoder turns everything it knows into the canonical form and lists the rest in
//     Request.Unsaid; it judges nothing.
//   - An encoder says what its format can say, lists the rest as [Loss]es out of the fixed
//     table that Codec.Losses returns, and refuses with an [UnsupportedError] what the answer
//     depends on and the format cannot say: a tool, an image, a schema.
//   - A whole answer is its events, collected: see [Collect].
//   - Signatures, encrypted reasoning and [Opaque] parts go out only to the format they came
//     from: see [Mark] for how they survive a client of another format.
package llm

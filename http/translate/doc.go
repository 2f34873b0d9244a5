// Package translate takes requests to upstreams of another format than the client's, and
// their answers back. It joins the codecs of internal/llm: bytes in, bytes out; what is sent
// where and when is decided elsewhere.
package translate

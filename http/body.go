package httpapi

import (
	"errors"
	"io"
	"net/http"
)

// readBody reads and decodes a request's body, up to the limit. Its errors are answers.
// What is left of the request has no Content-Encoding any more: see headers.go.
func (s *Server) readBody(in *inbound) (*buffer, error) {
	limit := in.settings.maxBodyBytes
	if in.r.ContentLength > limit {
		return nil, errTooLarge(limit)
	}
	if !isEncoded(in.r.Header) {
		return s.fillBody(in.r.Body, max(in.r.ContentLength, 0), limit)
	}
	raw := &io.LimitedReader{R: in.r.Body, N: limit + 1}
	plain, done, err := decoded(raw, in.r.Header)
	if err != nil {
		return nil, encodingError(err)
	}
	defer done()
	b, err := s.fillBody(plain, 0, limit)
	if raw.N <= 0 {
		if err == nil {
			b.release()
		}
		return nil, errTooLarge(limit)
	}
	return b, err
}

// fillBody reads a request's plain body.
func (s *Server) fillBody(body io.Reader, hint, limit int64) (*buffer, error) {
	b, whole, err := s.buffers.fill(body, hint, limit)
	if err == nil && whole {
		return b, nil
	}
	b.release()
	switch {
	case err == nil:
		return nil, errTooLarge(limit)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, badRequest("incomplete_body", "The request body ended before its end.", err)
	default:
		return nil, badRequest("invalid_body", "The request body could not be read.", err)
	}
}

// encodingError returns what a client is told about a body that cannot be decoded.
func encodingError(err error) error {
	if errors.Is(err, errUnknownEncoding) {
		e := badRequest("unsupported_content_encoding", "The request body's content encoding is not supported.", err)
		e.status = http.StatusUnsupportedMediaType
		return e
	}
	return badRequest("invalid_body", "The request body does not have the encoding it claims.", err)
}

package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/payload"
)

// bodyTimeout bounds how long a client may take to send its body.
const bodyTimeout = 5 * time.Minute

// readBody reads and decodes a request's body, up to the limit. Its errors are answers.
// What is left of the request has no Content-Encoding any more: see headers.go.
func (s *Server) readBody(in *inbound) (*payload.Buffer, error) {
	limit := in.settings.maxBodyBytes
	// Not every writer knows deadlines; those that have no connection need none.
	conn := http.NewResponseController(in.w.Writer)
	_ = conn.SetReadDeadline(time.Now().Add(bodyTimeout))
	b, err := s.decodeBody(in, limit)
	if err == nil {
		in.capture.Body(b)
		in.received = true
		_ = conn.SetReadDeadline(time.Time{})
	}
	return b, err
}

func (s *Server) decodeBody(in *inbound, limit int64) (*payload.Buffer, error) {
	if in.r.ContentLength > limit {
		return nil, fault.TooLarge(limit)
	}
	if !payload.IsEncoded(in.r.Header) {
		return s.fillBody(in.r.Body, max(in.r.ContentLength, 0), limit)
	}
	raw := &io.LimitedReader{R: in.r.Body, N: limit + 1}
	plain, done, err := payload.Decode(raw, in.r.Header)
	if err != nil {
		return nil, encodingError(err)
	}
	defer done()
	b, err := s.fillBody(plain, 0, limit)
	if raw.N <= 0 {
		if err == nil {
			b.Release()
		}
		return nil, fault.TooLarge(limit)
	}
	return b, err
}

// fillBody reads a request's plain body.
func (s *Server) fillBody(body io.Reader, hint, limit int64) (*payload.Buffer, error) {
	b, whole, err := s.buffers.Fill(body, hint, limit)
	if err == nil && whole {
		return b, nil
	}
	b.Release()
	switch {
	case err == nil:
		return nil, fault.TooLarge(limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		e := fault.BadRequest("body_timeout", "The request body took too long to arrive.", err)
		e.Status = http.StatusRequestTimeout
		return nil, e
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fault.BadRequest("incomplete_body", "The request body ended before its end.", err)
	default:
		return nil, fault.BadRequest("invalid_body", "The request body could not be read.", err)
	}
}

// encodingError returns what a client is told about a body that cannot be decoded.
func encodingError(err error) error {
	if errors.Is(err, payload.ErrUnknownEncoding) {
		e := fault.BadRequest("unsupported_content_encoding", "The request body's content encoding is not supported.", err)
		e.Status = http.StatusUnsupportedMediaType
		return e
	}
	return fault.BadRequest("invalid_body", "The request body does not have the encoding it claims.", err)
}

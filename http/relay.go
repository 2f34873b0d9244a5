package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/payload"
	"github.com/understudyhq/understudy/internal/peek"
	"github.com/understudyhq/understudy/providers"
)

// wholeAnswer is an upstream's answer that is there in full.
type wholeAnswer struct {
	status int
	header http.Header
	body   []byte
}

// plainBody returns an answer's body without content codings, which upstreams are asked
// not to use, and what frees the decoders. It takes the header out that names them.
func plainBody(resp *http.Response) (body io.Reader, done func(), err error) {
	if !payload.IsEncoded(resp.Header) {
		return resp.Body, func() {}, nil
	}
	body, done, err = payload.Decode(resp.Body, resp.Header)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", fault.ErrMalformedAnswer, err)
	}
	resp.Header.Del("Content-Encoding")
	resp.ContentLength = -1
	return body, done, nil
}

// read takes an answer's body in, up to limit bytes; whole tells whether that was all.
// The buffer is the caller's to release, also with an error.
func (a *attempt) read(resp *http.Response, body io.Reader, limit int64) (b *payload.Buffer, whole bool, err error) {
	guarded := watched{r: body, dog: &a.watchdog, idle: a.in.settings.streamIdle}
	b, whole, err = a.server.buffers.Fill(&guarded, max(resp.ContentLength, 0), limit)
	if err != nil {
		err = causeOf(a.ctx, err)
	}
	return b, whole, err
}

// whole passes a plain answer on. It is held back until it is there and known to be good,
// so that any trouble with it is a failed attempt and not the client's.
func (a *attempt) whole(resp *http.Response, body io.Reader, o providers.Outcome) result {
	share := a.server.held.share(body)
	defer share.release()
	b, whole, err := a.read(resp, share, maxWholeBytes)
	if errors.Is(err, errCrowded) {
		whole, err = false, nil
	}
	if err == nil && !whole && a.translated != nil {
		err = fmt.Errorf("%w: too long to be translated", fault.ErrMalformedAnswer)
	}
	if err == nil && !whole {
		if err = checkOpening(resp.Header, b.Bytes); err == nil {
			return a.giant(resp, body, b, share, o)
		}
	}
	defer b.Release()
	if err != nil {
		return a.broken(resp, err)
	}
	if err := checkAnswer(resp.Header, b.Bytes); err != nil {
		return a.broken(resp, err)
	}
	a.trace.Answered(a.format, b.Bytes)
	if a.call.resource == "" { // what a stored answer cost has been counted
		if usage, ok := providers.ReadUsage(a.format, b.Bytes); ok {
			o.Usage = usage
		}
	}
	if a.translated != nil {
		return a.translatedAnswer(resp, b.Bytes, o)
	}
	a.made(resp.Header, b.Bytes)
	a.served()
	copyAnswerHeader(a.in.w.Header(), resp.Header)
	a.in.send(resp.StatusCode, b.Bytes)
	return result{outcome: o}
}

// giant passes on an answer that is too long to be held back, of which begin has been read:
// unchecked, as it comes. If it breaks off, the connection to the client is broken too, so
// that the cut shows.
func (a *attempt) giant(resp *http.Response, body io.Reader, begin *payload.Buffer, share *share, o providers.Outcome) result {
	a.served()
	a.out.commit(resp)
	err := a.in.writeAll(begin.Bytes)
	begin.Release()
	share.release()
	if err != nil {
		return a.lost(err)
	}
	guarded := watched{r: body, dog: &a.watchdog, begun: true}
	chunk := a.server.buffers.Get(chunkBytes)
	defer chunk.Release()
	for {
		n, err := guarded.Read(chunk.Bytes[:chunkBytes])
		if werr := a.in.writeAll(chunk.Bytes[:n]); werr != nil {
			return a.lost(werr)
		}
		if errors.Is(err, io.EOF) {
			return result{outcome: o}
		}
		if err != nil {
			a.in.cut = true
			broken := a.broken(resp, causeOf(a.ctx, err))
			return result{outcome: broken.outcome, err: broken.failure.cause}
		}
	}
}

// lost is the result of an attempt whose answer the client no longer takes.
func (a *attempt) lost(err error) result {
	a.in.gone = true
	return result{
		outcome: providers.Outcome{Kind: providers.Canceled, Reason: "client went away"},
		err:     fmt.Errorf("%w: %w", fault.ErrClientGone, err),
	}
}

// checkAnswer returns what is wrong with a whole answer that claims to be a success: these
// APIs answer with JSON, and with a web page only when something in between speaks.
func checkAnswer(h http.Header, body []byte) error {
	if len(body) == 0 {
		return fault.ErrEmptyAnswer
	}
	contentType := strings.ToLower(h.Get("Content-Type"))
	switch {
	case contentType == "", strings.Contains(contentType, "json"):
		if err := peek.Valid(body); err != nil {
			return fmt.Errorf("%w: %w", fault.ErrMalformedAnswer, err)
		}
	case strings.HasPrefix(contentType, "text/html"):
		return fmt.Errorf("%w: a web page", fault.ErrMalformedAnswer)
	}
	return nil
}

// checkOpening is checkAnswer as far as the beginning of an answer tells.
func checkOpening(h http.Header, begin []byte) error {
	if !strings.Contains(strings.ToLower(h.Get("Content-Type")), "json") {
		return nil
	}
	if trimmed := bytes.TrimLeft(begin, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' {
		return fmt.Errorf("%w: neither an object nor an array", fault.ErrMalformedAnswer)
	}
	return nil
}

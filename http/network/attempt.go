package network

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// promptly is how soon after it got its connection a request fails because that connection
// was dead. What fails later may have been worked on: it is not for a transport to repeat it.
const promptly = 2 * time.Second

// attempt is one request on its way through one generation. But for answering it is for the
// goroutine of RoundTrip, where net/http calls gotConn too.
type attempt struct {
	transport  *Transport
	generation *generation
	trace      httptrace.ClientTrace
	reused     bool        // the connection has served before
	gotAt      time.Time   // when there was a connection
	answering  atomic.Bool // something of an answer came
}

func (t *Transport) begin(g *generation) *attempt {
	a := &attempt{transport: t, generation: g}
	a.trace = httptrace.ClientTrace{
		GotConn:              a.gotConn,
		GotFirstResponseByte: func() { a.answering.Store(true) },
	}
	return a
}

// send sends r as it is. If there is an answer, the attempt lasts until its body is closed.
func (a *attempt) send(r *http.Request) (*http.Response, error) {
	resp, err := a.generation.transport.RoundTrip(r)
	if err != nil {
		a.end()
		return nil, err
	}
	if resp.StatusCode == http.StatusProxyAuthRequired && a.transport.proxy.serves(r) {
		// It speaks of the gateway's own proxy, which is no matter of clients.
		_ = resp.Body.Close()
		a.end()
		return nil, refusedBy(resp)
	}
	body := &answerBody{ReadCloser: resp.Body, attempt: a}
	resp.Body = body
	if w, ok := body.ReadCloser.(io.Writer); ok { // the answer switches protocols
		resp.Body = &switchedBody{answerBody: body, Writer: w}
	}
	return resp, nil
}

func (a *attempt) end() { a.transport.leave(a.generation) }

// traced returns r with the attempt looking on.
func (a *attempt) traced(r *http.Request) *http.Request {
	return r.WithContext(httptrace.WithClientTrace(r.Context(), &a.trace))
}

// gotConn ends the time that was given for making the connection: see limited. net/http calls
// one reused, too, that was dialled for a request which found another sooner, and that has
// waited unused since.
func (a *attempt) gotConn(got httptrace.GotConnInfo) {
	a.reused, a.gotAt = got.Reused, time.Now()
	_ = got.Conn.SetDeadline(time.Time{})
}

// metDeadConnection reports whether err, with which the attempt failed, is that of a kept
// connection which the other side had given up.
func (a *attempt) metDeadConnection(err error) bool {
	return a.reused && !a.answering.Load() && time.Since(a.gotAt) < promptly && isLost(err)
}

// isLost reports whether err says that a connection is gone.
func isLost(err error) bool {
	for _, loss := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE} {
		if errors.Is(err, loss) {
			return true
		}
	}
	// net/http has no names for these.
	for _, text := range []string{
		"http: server closed idle connection",
		"http2: server sent GOAWAY and closed the connection",
		"http2: client connection lost",
	} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// answerBody is an answer's body whose attempt is over when it is closed.
type answerBody struct {
	io.ReadCloser
	attempt *attempt
	closed  atomic.Bool
}

// Close closes the body. Further calls do nothing more.
func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	if !b.closed.Swap(true) {
		b.attempt.end()
	}
	return err
}

// switchedBody is the connection that is left when an answer switched protocols.
type switchedBody struct {
	*answerBody
	io.Writer
}

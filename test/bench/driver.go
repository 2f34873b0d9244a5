package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// exchangeTimeout bounds one request and its answer, so that a hang is a failure.
const exchangeTimeout = time.Minute

// errNotBegun means that a connection ended before the first byte of an answer.
var errNotBegun = errors.New("no answer")

// connection is one keep-alive connection of the driver. It speaks HTTP/1.1 by hand, which
// is cheap and hides nothing: net/http's client would send a request again when the server
// has closed the connection. It is for one goroutine.
type connection struct {
	conn    net.Conn
	in      *bufio.Reader
	compare []byte
}

func dial(ctx context.Context, address string) (*connection, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotBegun, err)
	}
	return &connection{conn: conn, in: bufio.NewReaderSize(conn, 16<<10), compare: make([]byte, 16<<10)}, nil
}

func (c *connection) close() { _ = c.conn.Close() }

// do sends a request and checks that the answer is a 200 with exactly the body want. A
// *statusError is another answer; errNotBegun is none at all.
func (c *connection) do(request, want []byte, timeout time.Duration) error {
	if err := c.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request); err != nil {
		return fmt.Errorf("%w: %w", errNotBegun, err)
	}
	if _, err := c.in.Peek(1); err != nil {
		return fmt.Errorf("%w: %w", errNotBegun, err)
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, err := io.ReadAll(response.Body)
		return errors.Join(&statusError{response.StatusCode, body}, err)
	}
	return c.match(response.Body, want)
}

// match reads body to its end and fails at the first byte that differs from want.
func (c *connection) match(body io.Reader, want []byte) error {
	read := 0
	for {
		n, err := body.Read(c.compare)
		if !bytes.HasPrefix(want[read:], c.compare[:n]) {
			same := 0
			for same < min(n, len(want)-read) && c.compare[same] == want[read+same] {
				same++
			}
			return fmt.Errorf("answer differs after %d bytes: %.200q", read+same, c.compare[same:n])
		}
		read += n
		if err == io.EOF && read < len(want) {
			return fmt.Errorf("answer ends after %d of %d bytes", read, len(want))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read answer after %d of %d bytes: %w", read, len(want), err)
		}
	}
}

// statusError is an answer other than 200.
type statusError struct {
	status int
	body   []byte
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %.300s", e.status, e.body) }

// drive sends n requests of a load over so many connections, each as soon as the one before
// is answered, and returns how long that took. The first wrong answer ends it.
func drive(ctx context.Context, address string, l load, n, connections int) (time.Duration, error) {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	begin := time.Now()
	for range min(connections, n) {
		group.Go(func() error {
			c, err := dial(ctx, address)
			if err != nil {
				return err
			}
			defer c.close()
			for ctx.Err() == nil {
				i := next.Add(1) - 1
				if i >= int64(n) {
					return nil
				}
				if err := c.do(l.requests[i%int64(len(l.requests))], l.answer, exchangeTimeout); err != nil {
					return fmt.Errorf("%s, request %d: %w", l.title, i+1, err)
				}
			}
			return ctx.Err()
		})
	}
	err := group.Wait()
	return time.Since(begin), err
}

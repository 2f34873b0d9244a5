package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// manager asks the management API of a running gateway. Its errors are *refusal, if the gateway
// will not do what was asked, and *unavailable, if there is nobody who could be asked.
type manager struct {
	base string // URL of the API, without a slash at its end
	key  string
	http *http.Client
}

// Bounds on what a gateway may take and tell.
const (
	dialTimeout    = 5 * time.Second
	answerTimeout  = 30 * time.Second
	maxAnswerBytes = 64 << 20
)

func newManager(base, key string, transport *http.Transport) *manager {
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	transport.TLSHandshakeTimeout = dialTimeout
	return &manager{base: base, key: key, http: &http.Client{
		Transport: transport,
		// The key is for the gateway that was named, not for whoever it names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// refusal is an error that the gateway answered with.
type refusal struct {
	status  int
	Message string `json:"message"`
	// Problems are what is wrong with a configuration or a credential.
	Problems []problem `json:"problems"`
}

type problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Path    string `json:"path"`
	Problem string `json:"problem"`
}

// Error is part of error.
func (r *refusal) Error() string {
	text := plain(r.Message)
	for _, p := range r.Problems {
		text += "\n  "
		if p.File != "" {
			text += plain(p.File) + ":"
			if p.Line > 0 {
				text += strconv.Itoa(p.Line) + ":"
			}
			text += " "
		}
		if p.Path != "" {
			text += plain(p.Path) + ": "
		}
		text += plain(p.Problem)
	}
	return text
}

// unavailable means that nothing can be asked: no gateway answers, or it lets nobody in.
type unavailable struct{ why string }

// Error is part of error.
func (u *unavailable) Error() string { return u.why }

// get asks for path and reads the answer into answer. raw is the answer as it came.
func (m *manager) get(ctx context.Context, path string, query url.Values, answer any) (raw json.RawMessage, err error) {
	return m.call(ctx, http.MethodGet, path, query, nil, answer)
}

// call sends body as JSON, nil for none, and reads the answer into answer.
func (m *manager) call(ctx context.Context, method, path string, query url.Values, body, answer any) (raw json.RawMessage, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	resp, err := m.send(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return nil, &unavailable{"the answer of " + m.base + " broke off: " + reason(err)}
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return nil, m.stranger()
	}
	return raw, nil
}

// send returns the answer if it is one of success. Its body must be closed.
func (m *manager) send(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	resp, err := m.exchange(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound && !m.manages(ctx) {
		return nil, &unavailable{"the gateway at " + m.base + " answers 404 to all of the management API: it is off there. " +
			"Set management.secret-key in the gateway's configuration."}
	}
	return nil, m.refused(resp)
}

func (m *manager) exchange(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		content = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, m.base+path, content)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.URL.RawQuery = query.Encode()
	req.Header.Set("Authorization", "Bearer "+m.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := m.http.Do(req)
	if err != nil {
		return nil, &unavailable{"no gateway answers at " + m.base + ": " + reason(err) +
			". Start one with \"understudy serve\", or say where it is: --url, UNDERSTUDY_URL, or the configuration file's listen."}
	}
	return resp, nil
}

// manages reports whether the gateway has a management API: without a key it answers 404 to
// whatever is asked.
func (m *manager) manages(ctx context.Context) bool {
	resp, err := m.exchange(ctx, http.MethodGet, "/status", nil, nil)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode != http.StatusNotFound
}

// refused says what an answer that is none of success means.
func (m *manager) refused(resp *http.Response) error {
	var answer struct {
		Error *refusal `json:"error"`
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil || json.Unmarshal(data, &answer) != nil || answer.Error == nil || answer.Error.Message == "" {
		return m.stranger()
	}
	told := plain(answer.Error.Message)
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return &unavailable{"the gateway at " + m.base + " does not take this key: " + told +
			" The key comes from --key, else from UNDERSTUDY_MANAGEMENT_KEY, else from management.secret-key of the configuration file."}
	case http.StatusForbidden:
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
			told += " It lets this address try again in " + span(time.Duration(seconds)*time.Second) + "."
		}
		return &unavailable{"the gateway at " + m.base + " lets nobody in from here: " + told}
	case http.StatusServiceUnavailable:
		return &unavailable{"the gateway at " + m.base + " is not able to answer: " + told}
	default:
		answer.Error.status = resp.StatusCode
		return answer.Error
	}
}

func (m *manager) stranger() error {
	return &unavailable{"what answers at " + m.base + " is no Understudy gateway, or not one of this version"}
}

// reason returns why a call failed, without the URL that everybody knows.
func reason(err error) string {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "it took too long"
	}
	return plain(strings.TrimSuffix(err.Error(), "."))
}

// page is a part of a list.
type page struct {
	Data []json.RawMessage `json:"data"`
	Next string            `json:"next,omitempty"`
}

const pageSize = 1000

// list returns the first limit elements of a list, all for 0. next of the result is set if
// others follow.
func (m *manager) list(ctx context.Context, path string, query url.Values, limit int) (page, error) {
	all := page{Data: []json.RawMessage{}}
	if query == nil {
		query = url.Values{}
	}
	for {
		size := pageSize
		if limit > 0 {
			size = min(size, limit-len(all.Data))
		}
		query.Set("limit", strconv.Itoa(size))
		var part page
		if _, err := m.get(ctx, path, query, &part); err != nil {
			return all, err
		}
		all.Data = append(all.Data, part.Data...)
		all.Next = part.Next
		if part.Next == "" || len(part.Data) == 0 || limit > 0 && len(all.Data) >= limit {
			return all, nil
		}
		query.Set("after", part.Next)
	}
}

// elements reads the elements of a list.
func elements[T any](p page) ([]T, error) {
	list := make([]T, len(p.Data))
	for i, data := range p.Data {
		if err := json.Unmarshal(data, &list[i]); err != nil {
			return nil, fmt.Errorf("understand the gateway's answer: %w", err)
		}
	}
	return list, nil
}

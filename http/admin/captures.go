package admin

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/understudyhq/understudy/http/capture"
)

type (
	nameParam struct {
		Name string `path:"name" description:"Name of a captured request, as the list has it."`
	}
	capturePage struct {
		Data []captureView `json:"data"`
		Next string        `json:"next,omitempty"`
	}
	captureView struct {
		Name      string    `json:"name"`
		RequestID string    `json:"request_id"`
		At        time.Time `json:"at"`
		Status    int       `json:"status" description:"What the client got; 499 = it went away."`
		Bytes     int64     `json:"bytes"`
	}
)

// allCaptures is more than are ever kept.
const allCaptures = 1 << 20

// listCaptures lists failing requests that were written down, latest first.
func listCaptures(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	captures, err := c.server.Captures.Failures(allCaptures)
	if err != nil {
		return nil, err
	}
	if after := c.query.Get("after"); after != "" {
		at := slices.IndexFunc(captures, func(i capture.Info) bool { return i.File == after })
		if at < 0 {
			return nil, badRequest("invalid_parameter", "after names a request that is not kept.")
		}
		captures = captures[at+1:]
	}
	page := capturePage{Data: []captureView{}}
	for _, i := range captures[:min(limit, len(captures))] {
		page.Data = append(page.Data, captureView{Name: i.File, RequestID: i.ID, At: i.At, Status: i.Status, Bytes: i.Bytes})
	}
	if len(captures) > limit {
		page.Next = captures[limit-1].File
	}
	return page, nil
}

// showCapture returns one of them as it was written, secrets masked.
func showCapture(c *call) (any, error) {
	text, err := c.server.Captures.Open(c.param("name"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer text.Close()
	return io.ReadAll(text)
}

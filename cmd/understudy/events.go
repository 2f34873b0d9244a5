package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// eventView is one fact. Which members it has depends on what happened.
type eventView struct {
	At         time.Time  `json:"at"`
	Dropped    uint64     `json:"dropped"`
	Kind       string     `json:"kind"`
	What       string     `json:"what"`
	Credential string     `json:"credential"`
	Model      string     `json:"model"`
	Session    string     `json:"session"`
	RequestID  string     `json:"request_id"`
	Status     int        `json:"status"`
	Outcome    string     `json:"outcome"`
	Reason     string     `json:"reason"`
	Until      *time.Time `json:"until"`
	Changes    []string   `json:"changes"`
}

func eventsCommand() *cobra.Command {
	var kind, credential, session string
	c := manages("events", "Follow what happens in a running gateway, until interrupted", cobra.NoArgs, func(o *operation) error {
		ctx, stop := signal.NotifyContext(o.ctx, syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		resp, err := o.send(ctx, http.MethodGet, "/events", chosen("kind", kind, "credential", credential, "session", session), nil)
		switch {
		case ctx.Err() != nil: // interrupted, as it is meant to end
			return nil
		case err != nil:
			return err
		}
		defer resp.Body.Close()
		return o.follow(ctx, resp.Body)
	})
	flags := c.Flags()
	flags.StringVar(&kind, "kind", "", "only credential, model, session, request, attempt, configuration or supervision")
	flags.StringVar(&credential, "credential", "", "only what concerns it")
	flags.StringVar(&session, "session", "", "only what concerns the session with this hashed key")
	kinds := []string{"credential", "model", "session", "request", "attempt", "configuration", "supervision"}
	if err := c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is a few lines above
	}
	return c
}

// follow prints events until ctx ends, which is how it is meant to end, or the gateway does.
func (o *operation) follow(ctx context.Context, stream io.Reader) error {
	var missed uint64
	err := readEvents(stream, func(data []byte) error {
		var e eventView
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("understand an event: %w", err)
		}
		if o.json {
			_, err := fmt.Fprintf(o.out, "%s\n", data)
			return err
		}
		if e.Dropped > missed {
			fmt.Fprintf(o.out, "(%d events are missing here: they came faster than they could be shown)\n", e.Dropped-missed)
		}
		missed = max(missed, e.Dropped)
		_, err := fmt.Fprintln(o.out, e.line(o.now().Location()))
		return err
	})
	if err == nil {
		err = &unavailable{"the gateway has ended the stream of events"}
	}
	if ctx.Err() != nil {
		err = nil
	}
	return err
}

// line tells an event in one line.
func (e eventView) line(place *time.Location) string {
	words := []string{e.At.In(place).Format("15:04:05.000"), e.Kind, e.What}
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+plain(value))
		}
	}
	add("credential", e.Credential)
	add("model", e.Model)
	add("request", e.RequestID)
	add("session", e.Session)
	if e.Status > 0 {
		add("status", fmt.Sprint(e.Status))
	}
	add("outcome", e.Outcome)
	add("reason", e.Reason)
	if e.Until != nil {
		add("for", span(e.Until.Sub(e.At)))
	}
	add("changes", strings.Join(e.Changes, ","))
	return strings.Join(words, " ")
}

// maxEventBytes bounds one line of a stream of events.
const maxEventBytes = 1 << 20

// readEvents hands over the data of each event of a stream until it ends or use fails. The API
// sends one line of data per event; more lines are joined as the format of such streams says.
func readEvents(stream io.Reader, use func(data []byte) error) error {
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, maxEventBytes)
	var data []byte
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		switch {
		case lines.Text() == "" && len(data) > 0:
			event := slices.Clone(data[:len(data)-1])
			if data = data[:0]; len(event) == 0 {
				continue
			}
			if err := use(event); err != nil {
				return err
			}
		case field == "data":
			data = append(append(data, strings.TrimPrefix(value, " ")...), '\n')
		}
		if len(data) > maxEventBytes {
			return errors.New("an event is too long")
		}
	}
	if err := lines.Err(); err != nil {
		return &unavailable{"the stream of events broke off: " + reason(err)}
	}
	return nil
}

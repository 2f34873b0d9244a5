package understudy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

const question = `{"model":"understudy-large","messages":[{"role":"user","content":"echo: curtain up"}]}`

// A gateway mounted in a plain net/http server, below a path of the host's choice.
func Example() {
	gw, err := understudy.New(config.EmbeddedDefault())
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/llm/", http.StripPrefix("/llm", gw.Handler()))
	server := httptest.NewServer(mux)

	resp, err := http.Post(server.URL+"/llm/v1/chat/completions", "application/json", bytes.NewBufferString(question))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.Status)
	resp.Body.Close()

	server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println("shutdown:", gw.Shutdown(ctx))
	// Output:
	// 200 OK
	// shutdown: <nil>
}

// A gateway whose actors live in the host's own actor system, under one guardian.
func ExampleWithActorSystem() {
	// The interval keeps a dead letter from leaving a timer behind for a second.
	host := actor.NewActorSystem(actor.WithLoggerFactory(quiet), actor.WithDeadLetterThrottleInterval(time.Millisecond))
	gw, err := understudy.New(config.EmbeddedDefault(), understudy.WithActorSystem(host))
	if err != nil {
		fmt.Println(err)
		return
	}
	snapshot, err := gw.Snapshot(context.Background())
	fmt.Println(len(snapshot.Credentials), "credentials", err)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println("shutdown:", gw.Shutdown(ctx), "host stopped:", host.IsStopped())
	host.Shutdown()
	// Output:
	// 6 credentials <nil>
	// shutdown: <nil> host stopped: false
}

// The engine alone: it says which credential to use, the host makes the call and tells
// what came of it.
func ExampleGateway_Acquire() {
	gw, err := understudy.New(config.EmbeddedDefault())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ask(context.Background(), gw))

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println("shutdown:", gw.Shutdown(ctx))
	// Output:
	// 200 <nil>
	// shutdown: <nil>
}

func ask(ctx context.Context, gw *understudy.Gateway) (status int, err error) {
	lease, err := gw.Acquire(ctx, understudy.Request{
		Model: "understudy-large", Format: providers.OpenAIChat, Session: "conversation-42",
	})
	if err != nil {
		return 0, err
	}
	outcome := providers.Outcome{Kind: providers.Canceled} // unless told better below
	defer func() { lease.Done(outcome) }()

	call := providers.Call{Format: providers.OpenAIChat, Operation: providers.Generate}
	url, err := lease.URL(call)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url.String(), bytes.NewBufferString(question))
	if err != nil {
		return 0, err
	}
	lease.Authorize(req)
	resp, err := lease.Transport().RoundTrip(req)
	if err != nil {
		outcome = lease.Classify(providers.Answer{Call: call, Err: err, Now: time.Now()})
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	outcome = lease.Classify(providers.Answer{Call: call, Status: resp.StatusCode, Header: resp.Header, Body: body, Err: err, Now: time.Now()})
	return resp.StatusCode, err
}

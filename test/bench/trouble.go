package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/compat"
)

// Models that only the troubled credential has; what the upstream, or the gateway's own code,
// does to a request for one is in its name.
const (
	troublePanic   = "trouble-panic"   // the adapter panics, and the credential's actor over and over
	troubleHang    = "trouble-hang"    // the upstream takes the request and never answers
	troubleRefresh = "trouble-refresh" // the authorization server does so
	troubleJSON    = "trouble-json"    // a gigabyte in one string
	troubleSSE     = "trouble-sse"     // a gigabyte in one line of a stream
	troubleHeaders = "trouble-headers" // a gigabyte of headers
)

func allTroubles() []string {
	return []string{troublePanic, troubleHang, troubleRefresh, troubleJSON, troubleSSE, troubleHeaders}
}

const (
	// poisonBytes is how long a poisoned answer is.
	poisonBytes = 1 << 30
	// poisonPerSecond is how fast it comes: as over a line of a gigabit.
	poisonPerSecond = 128 << 20
	poisonPiece     = 256 << 10
	// pathHang never answers.
	pathHang = "/hang"
)

// trouble answers a request for a model in trouble, and reports whether it was one.
func (u *upstream) trouble(w http.ResponseWriter, r *http.Request, body []byte) bool {
	if r.URL.Path == pathHang || bytes.Contains(body, []byte(troubleHang)) {
		<-r.Context().Done()
		return true
	}
	if !bytes.Contains(body, []byte(`"trouble-`)) {
		return false
	}
	var head string
	switch {
	case bytes.Contains(body, []byte(troubleJSON)):
		head = "Content-Type: application/json\r\n\r\n{\"id\":\""
	case bytes.Contains(body, []byte(troubleSSE)):
		head = "Content-Type: text/event-stream\r\n\r\ndata: "
	default:
		head = "X-Poison: "
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return true
	}
	defer conn.Close()
	poison(r.Context(), conn, "HTTP/1.1 200 OK\r\n"+head)
	return true
}

// poison writes head and then a gigabyte.
func poison(ctx context.Context, w io.Writer, head string) {
	if _, err := io.WriteString(w, head); err != nil {
		return
	}
	piece := bytes.Repeat([]byte("x"), poisonPiece)
	began := time.Now()
	for sent := 0; sent < poisonBytes; sent += len(piece) {
		due := time.Duration(float64(sent) / poisonPerSecond * float64(time.Second))
		if pause(ctx, due-time.Since(began)) != nil {
			return
		}
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// kindTroubled is a provider with a bug.
const kindTroubled = "troubled"

// troubledProvider panics over requests for one model.
type troubledProvider struct{ compat.Provider }

// Classify implements providers.Provider.
func (p troubledProvider) Classify(a providers.Answer) providers.Outcome {
	if a.Call.Model == troublePanic {
		panic("the bug that is measured")
	}
	return p.Provider.Classify(a)
}

// troubledGateway is a gateway of so many credentials, and of one more for each of two kinds of
// trouble: one that answers badly, and one whose login never gets its token.
// What is in trouble has an upstream of its own, so that the others' does not share the load.
func troubledGateway(upstream, troubled string, credentials int) (role, error) {
	c := gatewayConfig(upstream, credentials)
	c.Routing.SessionAffinity = false
	p := config.Provider{
		Name: "troubled", Kind: kindTroubled, BaseURL: troubled + "/v1", Formats: []string{string(providers.OpenAIChat)},
		Credentials: []config.Credential{
			{ID: "in-trouble", APIKey: "sk-trouble", ExcludeModels: []string{troubleRefresh}},
			{ID: "deadlocked", Models: []string{troubleRefresh}, OAuth: &config.OAuth{
				TokenURL: troubled + pathHang, RefreshToken: "refresh", AccessToken: "expired", ExpiresAt: time.Now().Add(-time.Hour),
			}},
		},
	}
	for _, model := range allTroubles() {
		p.Models = append(p.Models, config.Model{Name: model})
	}
	c.Providers = []config.Provider{p, c.Providers[0]}
	system := actor.NewActorSystem(actor.WithLoggerFactory(quietActors))
	gateway, err := understudy.New(c, understudy.WithLogger(discardingLogger()), understudy.WithActorSystem(system),
		understudy.WithProvider(kindTroubled, troubledProvider{}))
	if err != nil {
		return role{}, err
	}
	handler := gateway.Handler()
	return role{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == pathCrash {
			fmt.Fprint(w, crashFirst(system))
			return
		}
		handler.ServeHTTP(w, r)
	}), end: func(ctx context.Context) error {
		err := gateway.Shutdown(ctx)
		system.Shutdown()
		return err
	}}, nil
}

// pathCrash makes the actors of the credential in trouble panic.
const pathCrash = "/crash"

// crashFirst sends a message that they do not know, which is a bug, to the actor of the first
// credential and to those of its models. It returns to how many.
func crashFirst(system *actor.ActorSystem) int {
	crashed := 0
	for _, bucket := range system.ProcessRegistry.LocalPIDs.LocalPIDs {
		for _, id := range bucket.Keys() {
			_, name, ok := strings.Cut(id, "/credentials/")
			if first, _, _ := strings.Cut(name, "/"); ok && first == strconv.Itoa(1) {
				system.Root.Send(system.NewLocalPID(id), struct{}{})
				crashed++
			}
		}
	}
	return crashed
}

// troublemaker is a client of the one in trouble, in a process of its own.
func troublemaker(ctx context.Context, address, trouble string) role {
	ctx, cancel := context.WithCancel(ctx)
	var making sync.WaitGroup
	making.Go(func() { makeTrouble(ctx, address, trouble) })
	return role{handler: http.NotFoundHandler(), end: func(context.Context) error {
		cancel()
		making.Wait()
		return nil
	}}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
)

// Roles that a process can play.
const (
	roleUpstream  = "upstream" // answers, as cheaply as net/http can
	roleProxy     = "proxy"    // httputil.ReverseProxy, doing nothing but forwarding
	roleGateway   = "gateway"
	roleWatching  = "watching" // a gateway that follows its files
	roleMaker     = "troublemaker"
	roleTroubled  = "troubled"  // a gateway with one credential more, which is in trouble
	roleResponses = "responses" // answers the Responses API with paced streams
)

// endGrace is how long a role may take to end.
const endGrace = 10 * time.Second

// role is one thing to serve.
type role struct {
	handler http.Handler
	begun   func() int                  // nil = not counted
	end     func(context.Context) error // nil = nothing to end
}

// runRole plays the role that args name until its standard input ends.
func runRole(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("no role named")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	upstream := flags.String("upstream", "", "base URL of the upstream")
	credentials := flags.Int("credentials", 10, "credentials of the gateway")
	file := flags.String("file", "", "configuration file of the watching gateway")
	troubled := flags.String("troubled", "", "base URL of the upstream of the one in trouble")
	trouble := flags.String("trouble", "", "what the troublemaker asks for")
	quiet := flags.Bool("quiet", false, "the gateway has no access log, no metrics and no records")
	responses := flags.Bool("responses", false, "the gateway's upstream speaks the Responses API")
	script := upstreamScript{}
	flags.IntVar(&script.chunks, "chunks", 200, "chunks of a stream")
	flags.DurationVar(&script.pause, "pause", 0, "wait between two chunks")
	flags.DurationVar(&script.think, "think", 0, "wait before a plain answer")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	var r role
	var err error
	switch args[0] {
	case roleUpstream:
		r = newUpstream(script).role()
	case roleProxy:
		r, err = proxyRole(*upstream)
	case roleGateway:
		r, err = gatewayRole(*upstream, *credentials, *quiet, *responses)
	case roleWatching:
		r, err = watchingGateway(ctx, *file)
	case roleTroubled:
		r, err = troubledGateway(*upstream, *troubled, *credentials)
	case roleMaker:
		r = troublemaker(ctx, *upstream, *trouble)
	case roleResponses:
		r = role{handler: http.HandlerFunc(script.respond)}
	default:
		err = fmt.Errorf("unknown role %q", args[0])
	}
	if err != nil {
		return err
	}
	return r.serve(ctx, out)
}

// serve opens the role's two ports, prints them and serves until standard input ends.
func (r role) serve(ctx context.Context, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: r.handler, ReadHeaderTimeout: time.Minute}
	controller := &http.Server{Handler: newControl(r.begun), ReadHeaderTimeout: time.Minute}
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(listener) }()
	go func() { failed <- controller.Serve(control) }()
	if err := json.NewEncoder(out).Encode(hello{listener.Addr().String(), control.Addr().String()}); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // an error is an end too
		close(ended)
	}()
	select {
	case err := <-failed:
		return err
	case <-ended:
	}
	ending, cancel := context.WithTimeout(ctx, endGrace)
	defer cancel()
	if r.end != nil {
		err = r.end(ending)
	}
	return errors.Join(err, server.Close(), controller.Close())
}

// proxyRole is what the gateway is measured against: a reverse proxy as anybody would write
// it. It flushes event streams by itself. Without full duplex it would break off one answer
// in some ten thousand when the upstream is faster than its transport (golang/go#40747).
func proxyRole(upstream string) (role, error) {
	target, err := url.Parse(upstream)
	if err != nil {
		return role{}, err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256},
	}
	return role{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		proxy.ServeHTTP(w, r)
	})}, nil
}

// gatewayRole is the gateway with everything on: client key, session affinity, access log,
// metrics and records. A quiet one does the same work and tells nobody.
func gatewayRole(upstream string, credentials int, quiet, responses bool) (role, error) {
	options := []understudy.Option{understudy.WithLogger(discardingLogger())}
	if quiet {
		options = []understudy.Option{understudy.WithoutMetrics(), understudy.WithoutRecords()}
	}
	c := gatewayConfig(upstream, credentials)
	if responses {
		speakResponses(c)
		for i := range c.Providers[0].Credentials { // both ways of the clients to the same upstream
			c.Providers[0].Credentials[i].Websockets = false
		}
	}
	gateway, err := understudy.New(c, options...)
	if err != nil {
		return role{}, err
	}
	return role{handler: gateway.Handler(), end: gateway.Shutdown}, nil
}

// discardingLogger formats every line of the access log, which has its cost, and drops it.
func discardingLogger() *slog.Logger {
	//nolint:sloglint // slog.DiscardHandler would format none
	return slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// quietActors keeps the actor library from logging.
func quietActors(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }

func gatewayConfig(upstream string, credentials int) *config.Config {
	c := config.Default()
	c.APIKeys = []config.APIKey{{Key: clientKey, Name: "bench"}}
	c.Routing.SessionAffinity = true
	p := config.Provider{
		Name:    "upstream",
		Kind:    config.KindOpenAICompatible,
		BaseURL: upstream + "/v1",
		Models:  []config.Model{{Name: modelChat}, {Name: modelStream}},
	}
	for i := range credentials {
		p.Credentials = append(p.Credentials, config.Credential{
			ID: fmt.Sprintf("credential-%d", i+1), APIKey: fmt.Sprintf("sk-upstream-%d", i+1),
		})
	}
	c.Providers = []config.Provider{p}
	return &c
}

// speakResponses makes the upstream of a configuration one that speaks the Responses API, over
// WebSocket too.
func speakResponses(c *config.Config) {
	p := &c.Providers[0]
	p.Kind = config.KindOpenAI
	for i := range p.Credentials {
		p.Credentials[i].Websockets = true
	}
}

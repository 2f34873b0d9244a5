package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
)

func serveCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: "Run the gateway. Without a configuration file it serves on loopback with a simulator as\n" +
			"its upstream. Changes in the file and its credentials-dir apply within a second; SIGHUP\n" +
			"reloads both at once. SIGINT and SIGTERM stop after open requests have ended, at most\n" +
			"shutdown-grace later; a second one stops at once.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			signals := make(chan os.Signal, 2)
			signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer signal.Stop(signals)
			s, err := newService(file)
			if err != nil {
				return err
			}
			return s.run(c, signals)
		},
	}
	addFileFlag(c, &file)
	return c
}

// service is the gateway with its listener.
type service struct {
	source   *config.Source
	file     string // that was read; empty = the embedded default runs
	cfg      *config.Config
	key      string          // of the management API, if it was made up for the embedded default
	told     map[string]bool // warnings and bad files that the log has told of
	asked    bool            // a signal asked for a reload that has not come yet
	level    *slog.LevelVar
	logger   *slog.Logger
	tracers  *sdktrace.TracerProvider // nil = no spans are made
	gateway  *understudy.Gateway
	listener net.Listener
	server   *http.Server
}

// newService loads the configuration, starts the gateway and opens its listener.
func newService(file string) (*service, error) {
	source := newSource(file)
	loaded, name, err := load(source, file)
	if err != nil {
		return nil, err
	}
	cfg := loaded.Config
	key := ""
	if name == "" {
		key = rand.Text()
		cfg.Management.SecretKey = key
	}
	s := &service{key: key, source: source, file: name, cfg: cfg, level: new(slog.LevelVar)}
	s.logger = newLogger(cfg.Logging, s.level)
	options := []understudy.Option{understudy.WithLogger(s.logger), understudy.WithVersion(version)}
	if s.tracers, err = newTracers(context.Background(), os.Getenv, s.logger); err != nil {
		return nil, err
	}
	if s.tracers != nil {
		options = append(options, understudy.WithTracerProvider(s.tracers))
	}
	if name != "" {
		options = append(options, understudy.WithConfigFile(name, os.LookupEnv))
	}
	if s.gateway, err = understudy.New(cfg, options...); err != nil {
		s.endTracers()
		return nil, err
	}
	s.tell(loaded)
	s.noteBad(loaded, nil)
	if s.listener, err = listen(cfg); err != nil {
		return nil, errors.Join(err, s.gateway.Shutdown(context.Background()))
	}
	ending, end := context.WithCancel(context.Background())
	s.server = newServer(routes(s.gateway, ending), s.logger)
	s.server.RegisterOnShutdown(end)
	debug.FreeOSMemory() // reading thousands of files leaves more garbage than there will be for long
	return s, nil
}

// managementPath is where the management API is served.
const managementPath = "/v0/management"

// routes serves clients and, below managementPath, operators. Requests of the latter end with
// ending: who follows events would keep the server from stopping.
func routes(gateway *understudy.Gateway, ending context.Context) http.Handler { //nolint:revive // the context is not this call's
	clients, operators := gateway.Handler(), http.StripPrefix(managementPath, gateway.ManagementHandler())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != managementPath && !strings.HasPrefix(r.URL.Path, managementPath+"/") {
			clients.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ending, cancel)()
		operators.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Limits of clients' connections. Bodies and answers have their own, in the gateway.
const (
	readHeaderTimeout = 30 * time.Second
	idleTimeout       = 3 * time.Minute
	maxHeaderBytes    = 64 << 10
)

func newServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

func newLogger(l config.Logging, level *slog.LevelVar) *slog.Logger {
	setLevel(level, l.Level)
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

func setLevel(v *slog.LevelVar, name string) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err == nil {
		v.Set(level)
	}
}

func listen(cfg *config.Config) (net.Listener, error) {
	cert, err := certificate(cfg.TLS)
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if cert == nil {
		return l, nil
	}
	return tls.NewListener(l, &tls.Config{
		Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}), nil
}

// certificate loads what is served over TLS; nil = nothing is.
func certificate(files config.TLS) (*tls.Certificate, error) {
	if files.CertFile == "" {
		return nil, nil //nolint:nilnil // no certificate is no error
	}
	cert, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls.cert-file, tls.key-file: %w", err)
	}
	return &cert, nil
}

// tell logs which credential files are bad and what has no effect, unless it was told for
// the last configuration. Nobody chose the embedded default's.
func (s *service) tell(loaded *config.Loaded) {
	if s.file == "" {
		return
	}
	before := s.told
	s.told = map[string]bool{}
	isNews := func(text string) bool {
		s.told[text] = true
		return !before[text]
	}
	for _, err := range loaded.Bad {
		if isNews(err.Error()) {
			s.logger.Error("credential file not used", slog.Any("err", err))
		}
	}
	for _, w := range slices.Concat(loaded.Config.Warnings(), loaded.Warnings) {
		if isNews(w) {
			s.logger.Warn("configuration", slog.String("warning", w))
		}
	}
}

// run serves until a signal, the listener or the engine ends it.
func (s *service) run(c *cobra.Command, signals <-chan os.Signal) error {
	defer s.endTracers()
	s.greet(c)
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.listener) }()
	reload := make(chan struct{}, 1)
	updates, stopWatching := s.watch(c.Context(), reload)
	defer stopWatching()
	for {
		select {
		case err := <-served:
			return errors.Join(fmt.Errorf("serve: %w", err), s.gateway.Shutdown(context.Background()))
		case <-s.gateway.Done():
			return errors.Join(s.gateway.Err(), s.server.Close())
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				stopWatching()
				return s.stop(signals)
			}
			s.asked = true
			select {
			case reload <- struct{}{}:
			default: // it is asked for already
			}
		case u := <-updates:
			s.apply(u)
		}
	}
}

// update is what the configuration says now, or why it cannot be used.
type update struct {
	loaded *config.Loaded
	err    error
}

// watch hands over updates of the configuration until stop is called, which waits for the
// end of it.
func (s *service) watch(ctx context.Context, reload <-chan struct{}) (updates <-chan update, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	to := make(chan update)
	var watching sync.WaitGroup
	watching.Go(func() {
		s.source.Watch(ctx, reload, func(loaded *config.Loaded, err error) {
			select {
			case to <- update{loaded, err}:
			case <-ctx.Done():
			}
		})
	})
	return to, func() { cancel(); watching.Wait() }
}

// greet prints where the gateway listens and a line that tries it out.
func (s *service) greet(c *cobra.Command) {
	scheme := "http"
	if s.cfg.TLS.CertFile != "" {
		scheme = "https"
	}
	address := scheme + "://" + s.listener.Addr().String()
	out := c.OutOrStdout()
	if s.file != "" {
		fmt.Fprintf(out, "understudy %s serves %s on %s\n", version, s.file, address)
		return
	}
	fmt.Fprintf(out, "understudy %s serves its built-in simulator on %s\n\nTry it:\n\n", version, address)
	fmt.Fprintf(out, "  curl %s/v1/chat/completions -H 'Content-Type: application/json' \\\n", address)
	fmt.Fprint(out, "    -d '{\"model\":\"understudy-large\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'\n\n")
	fmt.Fprintf(out, "Manage it (the key is new at every start):\n\n  %s=%s understudy status\n  curl %s%s/status -H 'X-Management-Key: %s'\n\n", keyVariable, s.key, address, managementPath, s.key)
	fmt.Fprintln(out, "Write a config.yaml to use upstreams of your own: see config.example.yaml.")
}

// apply makes u what runs. If it cannot be, everything stays as it was. The embedded
// default gives way to a file that turns up, but never takes its place.
func (s *service) apply(u update) {
	asked := s.asked
	s.asked = false
	if u.err != nil {
		s.logger.Error("configuration not reloaded", slog.Any("err", u.err))
		s.gateway.NoteConfigError(u.err)
		return
	}
	changes, err := s.gateway.Apply(u.loaded.Config)
	var restart *understudy.RestartError
	switch {
	case errors.As(err, &restart):
		s.logger.Warn("configuration reloaded in part", slog.Int("changes", len(changes)), slog.Any("err", err))
	case err != nil:
		s.logger.Error("configuration not reloaded", slog.Any("err", err))
		return
	default:
		level := slog.LevelInfo
		if len(changes) == 0 && !asked {
			level = slog.LevelDebug // a login has written its new tokens, the management API has applied it, or a file is bad
		}
		s.logger.Log(context.Background(), level, "configuration reloaded", slog.Int("changes", len(changes)))
	}
	setLevel(s.level, u.loaded.Config.Logging.Level)
	s.cfg = u.loaded.Config
	if s.file == "" {
		s.file = defaultFile
	}
	s.tell(u.loaded)
	s.noteBad(u.loaded, err)
}

// noteBad has the gateway's status show the bad credential files beside err, which Apply
// returned.
func (s *service) noteBad(loaded *config.Loaded, err error) {
	if len(loaded.Bad) > 0 {
		s.gateway.NoteConfigError(errors.Join(err, loaded.Bad))
	}
}

// stop refuses new requests, lets open ones end for the grace period, and returns nil if
// none was cut off. A second signal ends the grace.
func (s *service) stop(signals <-chan os.Signal) error {
	s.logger.Info("stopping", slog.Duration("duration", s.cfg.ShutdownGrace))
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownGrace)
	defer cancel()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case sig := <-signals:
				if sig != syscall.SIGHUP {
					cancel()
				}
			}
		}
	}()
	// First the listener and idle connections, so that clients find another server instead
	// of being refused by this one.
	if err := s.server.Shutdown(ctx); err != nil {
		s.logger.Warn("cutting off open requests", slog.Any("err", err))
	}
	err := s.gateway.Shutdown(ctx)
	// Those that were cut off have been told so, but the telling may still be on its way.
	flush, cancelFlush := context.WithTimeout(context.Background(), flushGrace)
	defer cancelFlush()
	if s.server.Shutdown(flush) == nil {
		return err
	}
	return errors.Join(err, s.server.Close())
}

// flushGrace is how long clients that were cut off may take to read that they were.
const flushGrace = time.Second

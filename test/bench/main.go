// Command bench measures what the gateway costs: CPU and allocations per relayed request
// against a bare reverse proxy, the engine alone, memory per session, and many long streams.
// docs/performance.md says what each figure means.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are the command line's.
type settings struct {
	rounds      int
	requests    int
	connections int
	loads       []string // names; empty = all
	chunkPause  time.Duration

	operations int
	sessions   int

	streams   int
	streamFor time.Duration
	via       string

	files int
	edits int
	rate  int

	profile string // a folder; empty = none
	json    bool
}

// benches maps the names on the command line to what they run.
func benches() map[string]func(context.Context, settings, *report) error {
	return map[string]func(context.Context, settings, *report) error{
		"proxy":    benchProxy,
		"observe":  benchObserve,
		"engine":   benchEngine,
		"sessions": benchSessions,
		"streams":  benchStreams,
		"sockets":  benchSockets,
		"sigterm":  benchSigterm,
		"files":    benchFiles,
		"changes":  benchChanges,

		"supervision": benchSupervision,
	}
}

// run executes the benches that args name, or the role that another bench process asks for.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == roleArgument {
		return runRole(ctx, args[1:], out)
	}
	s, names, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	result := report{Machine: thisMachine(time.Now())}
	if !s.json {
		fmt.Fprintln(out, result.Machine)
	}
	for _, name := range names {
		part := report{}
		if err := benches()[name](ctx, s, &part); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !s.json {
			part.print(out)
		}
		result.add(part)
	}
	if s.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	return nil
}

// parse reads the command line: flags, then the names of benches.
func parse(args []string) (settings, []string, error) {
	var s settings
	var loads string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: bench [flags] [proxy|observe|engine|sessions|streams|sockets|sigterm|files|changes|supervision|all] …\n"+
			"Without a name: all, which is proxy, engine and sessions.")
		flags.PrintDefaults()
	}
	flags.IntVar(&s.rounds, "rounds", 7, "rounds of proxy, observe and engine; medians are reported")
	flags.IntVar(&s.requests, "requests", 5000, "proxy and observe: requests of the smallest load per round; the larger loads take a fraction")
	flags.IntVar(&s.connections, "connections", 16, "proxy and observe: keep-alive connections")
	flags.StringVar(&loads, "loads", "", "proxy and observe: comma-separated names of loads; supervision: of troubles (default all)")
	flags.DurationVar(&s.chunkPause, "chunk-pause", 0, "proxy: how long the upstream waits between two chunks of a stream")
	flags.StringVar(&s.profile, "profile", "", "proxy, streams and supervision: write profiles of the gateway to this folder")
	flags.IntVar(&s.operations, "operations", 20000, "engine: leases per round")
	flags.IntVar(&s.sessions, "sessions", 100000, "engine and sessions: live sessions")
	flags.IntVar(&s.streams, "n", 1000, "streams: how many at once")
	flags.DurationVar(&s.streamFor, "for", time.Minute, "streams: how long each is; changes: how long there are some")
	flags.StringVar(&s.via, "via", roleGateway, "streams: what they pass through, gateway or proxy")
	flags.IntVar(&s.files, "files", 10000, "files: credential files")
	flags.IntVar(&s.edits, "edits", 1000, "changes: edits of files")
	flags.IntVar(&s.rate, "rate", 500, "changes: requests a second")
	flags.BoolVar(&s.json, "json", false, "print JSON instead of tables")
	if err := flags.Parse(args); err != nil {
		return settings{}, nil, err
	}
	if loads != "" {
		s.loads = strings.Split(loads, ",")
	}
	names, err := benchNames(flags.Args())
	return s, names, errors.Join(err, s.validate())
}

// benchNames resolves "all" and refuses unknown names.
func benchNames(args []string) ([]string, error) {
	if len(args) == 0 {
		args = []string{"all"}
	}
	var names []string
	for _, name := range args {
		if name == "all" {
			names = append(names, "proxy", "engine", "sessions")
			continue
		}
		if benches()[name] == nil {
			return nil, fmt.Errorf("unknown bench %q", name)
		}
		names = append(names, name)
	}
	return names, nil
}

func (s settings) validate() error {
	if slices.Min([]int{s.rounds, s.requests, s.connections, s.operations, s.sessions, s.streams, s.files, s.edits, s.rate}) < 1 {
		return errors.New("counts must be at least 1")
	}
	if s.streamFor < time.Second || s.chunkPause < 0 {
		return errors.New("-for must be at least 1s and -chunk-pause not negative")
	}
	if s.via != roleGateway && s.via != roleProxy {
		return fmt.Errorf("-via must be %s or %s", roleGateway, roleProxy)
	}
	return nil
}

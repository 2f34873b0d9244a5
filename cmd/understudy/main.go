// Command understudy is the LLM routing gateway as a program.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/understudyhq/understudy/config"
)

// Set by the linker.
var version, commit = "dev", ""

func main() {
	os.Exit(run(context.Background(), root(), os.Stderr))
}

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1 // what was asked for could not be done
	exitMisuse      = 2 // the command line makes no sense
	exitUnavailable = 3 // no gateway that could be asked: none is there, or it does not let us in
)

// misuse is a command line that makes no sense.
type misuse struct{ why string }

// Error is part of error.
func (m *misuse) Error() string { return m.why }

// run runs the command that c's arguments name and returns the exit code.
func run(ctx context.Context, c *cobra.Command, stderr io.Writer) int {
	understood := false
	c.PersistentPreRun = func(*cobra.Command, []string) { understood = true }
	err := c.ExecuteContext(ctx)
	var wrong *misuse
	var nobody *unavailable
	switch {
	case err == nil:
		return exitDone
	case !understood || errors.As(err, &wrong):
		complain(stderr, err)
		return exitMisuse
	case errors.As(err, &nobody):
		complain(stderr, err)
		return exitUnavailable
	default:
		complain(stderr, err)
		return exitFailed
	}
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "understudy",
		Short: "An LLM gateway: when a credential cannot go on, another steps in",
		Long: "Understudy holds many upstream credentials of OpenAI, Anthropic, Gemini and compatible\n" +
			"services and decides, request by request, which of them serves.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.AddCommand(serveCommand(), checkCommand(), versionCommand(),
		statusCommand(), explainCommand(), credentialsCommand(), sessionsCommand(), usageCommand(), eventsCommand())
	return c
}

// complain prints err, a line for each configuration error.
func complain(w io.Writer, err error) {
	var bad config.Errors
	if errors.As(err, &bad) {
		for _, e := range bad {
			fmt.Fprintln(w, e)
		}
		return
	}
	fmt.Fprintln(w, "understudy:", err)
}

// defaultFile is read when no file is named; without it the embedded default runs.
const defaultFile = "config.yaml"

// newSource returns the source of the configuration in file, or in the default file if none
// is named.
func newSource(file string) *config.Source {
	return config.NewSource(cmp.Or(file, defaultFile), os.LookupEnv)
}

// load reads the configuration of source, which was made for file, or returns the embedded
// default if no file is named and the default file is not there. name is the file that was
// read, empty for the embedded default.
func load(source *config.Source, file string) (loaded *config.Loaded, name string, err error) {
	loaded, err = source.Load()
	switch {
	case err == nil:
		return loaded, cmp.Or(file, defaultFile), nil
	case file == "" && errors.Is(err, os.ErrNotExist):
		return &config.Loaded{Config: config.EmbeddedDefault()}, "", nil
	default:
		return nil, "", err
	}
}

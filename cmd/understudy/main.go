// Command understudy is the LLM routing gateway as a program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/understudyhq/understudy/config"
)

// Set by the linker.
var version, commit = "dev", ""

func main() {
	if err := root().ExecuteContext(context.Background()); err != nil {
		complain(err)
		os.Exit(1)
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
	c.AddCommand(serveCommand(), checkCommand(), versionCommand())
	return c
}

// complain prints err, a line for each configuration error.
func complain(err error) {
	var bad config.Errors
	if errors.As(err, &bad) {
		for _, e := range bad {
			fmt.Fprintln(os.Stderr, e)
		}
		return
	}
	fmt.Fprintln(os.Stderr, "understudy:", err)
}

// defaultFile is read when no file is named; without it the embedded default runs.
const defaultFile = "config.yaml"

// loadConfig returns the configuration of file, of the default file if none is named, or
// the embedded default if there is none either. source names what it returned.
func loadConfig(file string) (cfg *config.Config, source string, err error) {
	name := file
	if name == "" {
		name = defaultFile
	}
	cfg, err = config.Load(name, os.LookupEnv)
	switch {
	case err == nil:
		return cfg, name, nil
	case file == "" && errors.Is(err, os.ErrNotExist):
		return config.EmbeddedDefault(), "", nil
	default:
		return nil, name, err
	}
}

// Command understudy is the LLM routing gateway as a program.
package main

import (
	"cmp"
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

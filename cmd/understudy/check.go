package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

func checkCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "check",
		Short: "Validate the configuration and print what would run; contacts no upstream",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, source, err := load(newSource(file), file)
			if err != nil {
				return err
			}
			if len(loaded.Bad) > 0 {
				return loaded.Bad
			}
			if err := understudy.Check(loaded.Config); err != nil {
				return err
			}
			if _, err := certificate(loaded.Config.TLS); err != nil {
				return err
			}
			return describe(c.OutOrStdout(), loaded, source)
		},
	}
	addFileFlag(c, &file)
	return c
}

func addFileFlag(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "config", "c", "", "configuration file (default config.yaml, else the embedded default)")
}

// embedded names the configuration that runs without a file.
const embedded = "embedded default"

// describe prints what would run, secrets masked.
func describe(w io.Writer, loaded *config.Loaded, source string) error {
	cfg := loaded.Config
	if source == "" {
		source = embedded
	}
	fmt.Fprintf(w, "%s is valid\n\nlisten %s, %d client keys, strategy %s, session affinity %t\n\n",
		source, cfg.Listen, len(cfg.APIKeys), cfg.Routing.Strategy, cfg.Routing.SessionAffinity)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PROVIDER\tKIND\tFORMATS\tBASE URL")
	for _, p := range cfg.Providers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.Name, p.Kind, strings.Join(p.Formats, ","), orDash(p.BaseURL))
	}
	describeCredentials(t, cfg, time.Now())
	describeModels(t, cfg)
	if source != embedded {
		for _, warning := range slices.Concat(cfg.Warnings(), loaded.Warnings) {
			fmt.Fprintf(t, "\nwarning: %s", warning)
		}
	}
	fmt.Fprintln(t)
	return t.Flush()
}

// describeCredentials prints the credentials and how each authorizes. The instants at which
// tokens expire are those in the files: some have passed, and then the token is renewed.
func describeCredentials(w io.Writer, cfg *config.Config, now time.Time) {
	fmt.Fprintln(w, "\nCREDENTIAL\tPROVIDER\tACCOUNT\tPROJECT\tSECRET\tTOKEN EXPIRES\tSTATE\tFILE")
	for _, p := range cfg.Providers {
		for _, c := range p.Credentials {
			state := "enabled"
			if c.Disabled {
				state = "disabled"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.ID, p.Name, orDash(c.Account), orDash(c.Project),
				masked(c), expiry(c.OAuth, now), state, orDash(c.Source))
		}
	}
}

// expiry tells when the access token of a login ends.
func expiry(o *config.OAuth, now time.Time) string {
	switch {
	case o == nil || o.AccessToken == "":
		return "-"
	case o.ExpiresAt.IsZero():
		return "unknown"
	case o.ExpiresAt.Before(now):
		return o.ExpiresAt.UTC().Format(time.RFC3339) + " (past)"
	default:
		return o.ExpiresAt.UTC().Format(time.RFC3339)
	}
}

// describeModels prints the models and how many credentials may serve each.
func describeModels(w io.Writer, cfg *config.Config) {
	fmt.Fprintln(w, "\nMODEL\tPROVIDER\tALIASES\tPREFIX\tCREDENTIALS")
	for _, p := range cfg.Providers {
		if len(p.Models) == 0 {
			fmt.Fprintf(w, "(as the upstream lists)\t%s\t-\t%s\t%d\n", p.Name, orDash(p.Prefix), len(p.Credentials))
		}
		for _, m := range p.Models {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", m.Name, p.Name, orDash(strings.Join(m.Alias, ",")), orDash(p.Prefix), serving(p, m.Name))
		}
	}
}

// serving counts the enabled credentials of p that may be used for model.
func serving(p config.Provider, model string) int {
	n := 0
	for _, c := range p.Credentials {
		listed := len(c.Models) == 0 || providers.MatchAny(c.Models, model)
		excluded := providers.MatchAny(c.ExcludeModels, model) || providers.MatchAny(p.ExcludeModels, model)
		if listed && !excluded && !c.Disabled {
			n++
		}
	}
	return n
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// masked tells of which kind the secret of c is, and nothing about it.
func masked(c config.Credential) string {
	switch {
	case c.OAuth != nil && c.OAuth.RefreshToken == "":
		return "oauth ***, not renewed"
	case c.OAuth != nil:
		return "oauth ***"
	case c.ServiceAccount != nil:
		return "service-account ***"
	case c.APIKey == "":
		return "-"
	default:
		return "***"
	}
}

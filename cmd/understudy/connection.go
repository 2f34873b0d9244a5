package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/understudyhq/understudy/config"
)

// Variables that say which gateway is managed, and with what key.
const (
	urlVariable = "UNDERSTUDY_URL"
	keyVariable = "UNDERSTUDY_MANAGEMENT_KEY"
)

// connection is what the command line says about the gateway that is to be managed.
type connection struct {
	url, key, file string
	json           bool
}

// operation is one run of a command that manages a gateway.
type operation struct {
	*manager
	ctx  context.Context //nolint:containedctx // of the command, for as long as it runs
	in   io.Reader
	out  io.Writer
	args []string
	json bool             // print what the API answered
	now  func() time.Time // its location is that of times that are shown
}

// manages makes a command that asks a running gateway.
func manages(use, short string, args cobra.PositionalArgs, run func(*operation) error) *cobra.Command {
	var conn connection
	c := &cobra.Command{
		Use:               use,
		Short:             short,
		Args:              args,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := conn.open(os.LookupEnv)
			if err != nil {
				return err
			}
			return run(&operation{manager: m, ctx: c.Context(), in: c.InOrStdin(), out: c.OutOrStdout(), args: args, json: conn.json, now: time.Now})
		},
	}
	flags := c.Flags()
	flags.StringVar(&conn.url, "url", "", "where the gateway is (default $"+urlVariable+", else as the configuration file says)")
	flags.StringVar(&conn.key, "key", "", "management key; others on this machine can see it, so better $"+keyVariable+" or the configuration file")
	flags.StringVarP(&conn.file, "config", "c", "", "configuration file of the gateway (default config.yaml)")
	flags.BoolVar(&conn.json, "json", false, "print the management API's answer")
	return c
}

// group makes a command that only has others below it.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(commands...)
	return c
}

// open finds out where the gateway is and with what key to manage it.
func (c *connection) open(getenv func(string) (string, bool)) (*manager, error) {
	inEnv := func(name string) string { value, _ := getenv(name); return value }
	address, key := cmp.Or(c.url, inEnv(urlVariable)), cmp.Or(c.key, inEnv(keyVariable))
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if address != "" && key != "" {
		base, err := apiOf(address)
		return newManager(base, key, transport), err
	}
	e := c.endpoint(getenv)
	if address == "" {
		if e.addressErr != nil {
			return nil, fmt.Errorf("find the gateway, for neither --url nor %s is given: %w", urlVariable, e.addressErr)
		}
		var err error
		if address, transport.TLSClientConfig, err = reach(e); err != nil {
			return nil, err
		}
	}
	if key = cmp.Or(key, e.key); key == "" {
		return nil, &unavailable{fmt.Sprintf("there is no management key: neither --key nor %s is given, and %s", keyVariable, e.keyErr)}
	}
	base, err := apiOf(address)
	return newManager(base, key, transport), err
}

// endpoint returns what the configuration file says, the default if none is named and the
// default file is not there.
func (c *connection) endpoint(getenv func(string) (string, bool)) endpoint {
	e := readEndpoint(cmp.Or(c.file, defaultFile), getenv)
	if c.file == "" && errors.Is(e.addressErr, os.ErrNotExist) {
		return endpoint{listen: config.Default().Listen, keyErr: errors.New("there is no " + defaultFile + " here")}
	}
	return e
}

// reach returns the URL of a gateway on this machine, and whom to trust there if it serves
// https: the very certificate of its configuration.
func reach(e endpoint) (address string, trust *tls.Config, err error) {
	host, port, err := net.SplitHostPort(e.listen)
	if err != nil {
		return "", nil, fmt.Errorf("find the gateway: listen: %w", err)
	}
	switch ip, err := netip.ParseAddr(host); {
	case host == "":
		host = "127.0.0.1"
	case err == nil && ip.IsUnspecified() && ip.Is4():
		host = "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		host = "::1"
	}
	if port == "0" {
		return "", nil, &unavailable{"the configuration has the gateway listen on any free port: say with --url or " + urlVariable + " on which"}
	}
	address = net.JoinHostPort(host, port)
	if e.tls.CertFile == "" {
		return "http://" + address, nil, nil
	}
	trust, err = trusting(e.tls.CertFile)
	return "https://" + address, trust, err
}

// trusting returns settings that trust a server with the certificate in file, whatever the
// address it is reached at.
func trusting(file string) (*tls.Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("tls.cert-file: %w", err)
	}
	block, rest := pem.Decode(data) // the server's own certificate is the first
	for block != nil && block.Type != "CERTIFICATE" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("tls.cert-file: there is no certificate in " + file)
	}
	own, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("tls.cert-file: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(own)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: nameIn(own)}, nil
}

// nameIn returns a name that cert is good for.
func nameIn(cert *x509.Certificate) string {
	switch {
	case len(cert.DNSNames) > 0:
		return strings.Replace(cert.DNSNames[0], "*", "any", 1)
	case len(cert.IPAddresses) > 0:
		return cert.IPAddresses[0].String()
	default:
		return cert.Subject.CommonName
	}
}

// apiOf returns the URL of the management API of the gateway at address.
func apiOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", &misuse{"the gateway's URL must look like http://127.0.0.1:8317"}
	}
	return strings.TrimSuffix(strings.TrimSuffix(u.String(), "/"), managementPath) + managementPath, nil
}

// show prints an answer of the API, indented.
func (o *operation) show(answer any) error {
	text, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return fmt.Errorf("print answer: %w", err)
	}
	_, err = fmt.Fprintf(o.out, "%s\n", text)
	return err
}

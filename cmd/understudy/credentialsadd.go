package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// newCredential is what flags say about a credential that is to be added.
type newCredential struct {
	provider, file, account string
	weight, priority, limit int
	models                  []string
	given                   func(flag string) bool
}

func addCommand() *cobra.Command {
	var n newCredential
	c := manages("add ID", "Add a credential, in a file of credentials-dir", cobra.ExactArgs(1), n.add)
	c.Long = "Add a credential, in a file of credentials-dir. The secret is asked for, or read from standard\n" +
		"input, and never an argument that others on the machine could see:\n\n" +
		"  understudy credentials add openai-3 --provider openai <key.txt\n\n" +
		"With --file, a JSON file with the keys of a credential file is added instead, such as a login\n" +
		"(oauth) or a service account; - is standard input. Flags count before what is in it."
	flags := c.Flags()
	flags.StringVar(&n.provider, "provider", "", "name of a configured provider")
	flags.StringVar(&n.file, "file", "", "JSON file with the credential; - = standard input")
	flags.StringVar(&n.account, "account", "", "credentials of one account share limits")
	flags.IntVar(&n.weight, "weight", 1, "share of the requests, for the strategy weighted")
	flags.IntVar(&n.priority, "priority", 0, "the higher tier is used first")
	flags.IntVar(&n.limit, "max-concurrency", 0, "requests in flight at most; 0 = no limit")
	flags.StringSliceVar(&n.models, "models", nil, "patterns of the models that it may serve; none = all")
	n.given = flags.Changed
	return c
}

func (n *newCredential) add(o *operation) error {
	body, err := n.body(o)
	if err != nil {
		return err
	}
	var done changedView
	raw, err := o.call(o.ctx, http.MethodPost, "/credentials", nil, body, &done)
	if err != nil {
		return err
	}
	if o.json {
		return o.show(raw)
	}
	return o.tell(done.Credential, done.lasting())
}

// body returns what the API is to add.
func (n *newCredential) body(o *operation) (map[string]any, error) {
	body := map[string]any{}
	if n.file != "" {
		data, err := n.read(o.in)
		if err != nil {
			return nil, err
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err := decoder.Decode(&body); err != nil || body == nil {
			return nil, errors.New(n.file + " does not hold a JSON object") // the cause could quote a secret
		}
	}
	body["id"] = o.args[0]
	for flag, value := range map[string]any{
		"provider": n.provider, "account": n.account, "weight": n.weight, "priority": n.priority, "max-concurrency": n.limit, "models": n.models,
	} {
		if n.given(flag) {
			body[flag] = value
		}
	}
	if body["provider"] == nil {
		return nil, &misuse{"say with --provider whose credential it is"}
	}
	if n.file == "" {
		secret, err := readSecret(o)
		if err != nil {
			return nil, err
		}
		body["api-key"] = secret
	}
	return body, nil
}

// maxSecretBytes bounds files with credentials.
const maxSecretBytes = 1 << 20

func (n *newCredential) read(in io.Reader) ([]byte, error) {
	if n.file != "-" {
		f, err := os.Open(n.file)
		if err != nil {
			return nil, fmt.Errorf("read credential: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxSecretBytes))
	if err != nil {
		return nil, fmt.Errorf("read credential: %w", err)
	}
	return data, nil
}

// readSecret reads an API key from standard input. A terminal does not show it.
func readSecret(o *operation) (string, error) {
	var data []byte
	var err error
	if f, ok := o.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(os.Stderr, "API key: ")
		data, err = term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(os.Stderr)
	} else {
		data, err = io.ReadAll(io.LimitReader(o.in, maxSecretBytes))
	}
	if err != nil {
		return "", fmt.Errorf("read API key: %w", err)
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		return "", errors.New("standard input holds no API key")
	}
	return secret, nil
}

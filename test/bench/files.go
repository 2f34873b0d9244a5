package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	// fewFiles is what many are compared with.
	fewFiles = 10
	// filesSettle is how long after it is ready a gateway is looked at again: the folder has
	// been polled then, and the service accounts have tokens.
	filesSettle = 10 * time.Second
	// filesStarts is how often each gateway is started.
	filesStarts = 3
	// filesWithin bounds one start.
	filesWithin = time.Minute
)

// filesRow is the command with many credential files: a third of them keys, a third logins
// that have not expired, and a third service accounts, which get a token each.
type filesRow struct {
	Files int `json:"files"`
	// From the start of the process until /readyz says so.
	ReadyMilliseconds    spread `json:"ready_milliseconds"`
	FewReadyMilliseconds spread `json:"few_ready_milliseconds"`
	// Per credential, beyond what the process has with a few.
	ResidentBytes spread `json:"resident_bytes"` // once it is ready
	SettledBytes  spread `json:"settled_bytes"`  // a while later
}

// benchFiles starts the command with a few and with many credential files, in turn.
func benchFiles(ctx context.Context, s settings, out *report) (err error) {
	folder, err := os.MkdirTemp("", "understudy-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, err := buildCommand(ctx, folder)
	if err != nil {
		return err
	}
	upstream, err := startRole(ctx, roleUpstream)
	if err != nil {
		return err
	}
	defer stopping(upstream, &err)
	few, err := writeCredentials(filepath.Join(folder, "few"), upstream.address, fewFiles)
	if err != nil {
		return err
	}
	many, err := writeCredentials(filepath.Join(folder, "many"), upstream.address, s.files)
	if err != nil {
		return err
	}
	var ready, fewReady, resident, settled []float64
	for range filesStarts {
		a, err := startOnce(ctx, program, few)
		if err != nil {
			return err
		}
		b, err := startOnce(ctx, program, many)
		if err != nil {
			return err
		}
		more := float64(max(s.files-fewFiles, 1))
		fewReady = append(fewReady, float64(a.ready.Milliseconds()))
		ready = append(ready, float64(b.ready.Milliseconds()))
		resident = append(resident, float64(b.resident-a.resident)/more)
		settled = append(settled, float64(b.settled-a.settled)/more)
	}
	out.Files = &filesRow{
		Files: s.files, ReadyMilliseconds: spreadOf(ready), FewReadyMilliseconds: spreadOf(fewReady),
		ResidentBytes: spreadOf(resident), SettledBytes: spreadOf(settled),
	}
	return nil
}

// startUp is one start of the command.
type startUp struct {
	ready             time.Duration
	resident, settled int64 // bytes
}

// startOnce starts the command, looks at it and stops it.
func startOnce(ctx context.Context, program, file string) (up startUp, err error) {
	began := time.Now()
	command, address, err := serveCommand(ctx, program, file)
	if err != nil {
		return startUp{}, err
	}
	defer func() { err = errors.Join(err, stopCommand(command)) }()
	if err := awaitReady(ctx, address); err != nil {
		return startUp{}, err
	}
	up.ready = time.Since(began)
	id := strconv.Itoa(command.Process.Pid)
	up.resident = residentBytesOf(id)
	if err := pause(ctx, filesSettle); err != nil {
		return startUp{}, err
	}
	up.settled = residentBytesOf(id)
	return up, nil
}

// stopCommand stops the command in good order.
func stopCommand(c *exec.Cmd) error {
	return errors.Join(c.Process.Signal(syscall.SIGTERM), c.Wait())
}

// awaitReady returns when the gateway at address takes requests.
func awaitReady(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, filesWithin)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			if err := response.Body.Close(); err != nil {
				return err
			}
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("the command is not ready after %v: %w", filesWithin, err)
		}
	}
}

// writeCredentials writes n credential files into a folder, and beside them a configuration
// that uses them, whose path it returns.
func writeCredentials(folder, upstream string, n int) (string, error) {
	credentials := filepath.Join(folder, "credentials")
	if err := os.MkdirAll(credentials, 0o700); err != nil {
		return "", err
	}
	key, err := privateKey()
	if err != nil {
		return "", err
	}
	for i := range n {
		name, content := credentialFile(i, upstream, key)
		data, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(credentials, name), data, 0o600); err != nil {
			return "", err
		}
	}
	file := filepath.Join(folder, "config.yaml")
	return file, os.WriteFile(file, fmt.Appendf(nil, `listen: 127.0.0.1:0
api-keys: [%s]
logging: {level: warn}
credentials-dir: credentials
providers:
  - name: upstream
    kind: openai-compatible
    base-url: http://%s/v1
    models: [%s, %s]
`, clientKey, upstream, modelChat, modelStream), 0o600)
}

// credentialFile returns the name and the content of the i-th file.
func credentialFile(i int, upstream, key string) (string, map[string]any) {
	tokenURL := "http://" + upstream + pathToken
	c := map[string]any{"provider": "upstream", "account": fmt.Sprintf("account-%d", i/3)}
	kind := [...]string{"key", "login", "service"}[i%3]
	switch kind {
	case "key":
		c["api-key"] = fmt.Sprintf("sk-upstream-%d", i)
	case "login":
		c["oauth"] = map[string]any{
			"token-url": tokenURL, "client-id": "bench", "refresh-token": fmt.Sprintf("refresh-%d", i),
			"access-token": fmt.Sprintf("access-%d", i), "expires-at": time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339),
		}
	default:
		c["service-account"] = map[string]any{
			"type": "service_account", "project_id": fmt.Sprintf("project-%d", i), "private_key_id": "bench", "private_key": key,
			"client_email": fmt.Sprintf("bench-%d@project.test", i), "token_uri": tokenURL,
		}
	}
	return fmt.Sprintf("%s-%05d.json", kind, i), c
}

// privateKey returns a key as Google issues them. All service accounts have the same one:
// making a thousand takes minutes.
func privateKey() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

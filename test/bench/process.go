package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
)

// roleArgument makes a bench process play a role instead of measuring.
const roleArgument = "role"

// process is a role that another process of this program plays, so that its CPU time and
// memory are its alone.
type process struct {
	role    string
	address string // host:port of what it serves
	control string // base URL of its figures
	client  *http.Client
	command *exec.Cmd
	stdin   io.Closer // its end is the role's end
}

// hello is what a role prints once it serves.
type hello struct {
	Address string `json:"address"`
	Control string `json:"control"`
}

// startRole starts this program again, as role. The process ends with stop, with ctx, or
// with this process.
func startRole(ctx context.Context, role string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{
		role:    role,
		client:  &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		command: exec.CommandContext(ctx, self, append([]string{roleArgument, role}, args...)...),
	}
	p.command.Stderr = os.Stderr
	stdin, err := p.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	p.stdin = stdin
	var h hello
	if err := json.NewDecoder(stdout).Decode(&h); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", role, err), p.stop())
	}
	p.address, p.control = h.Address, "http://"+h.Control
	return p, nil
}

// stop ends the role in good order and returns what went wrong in it.
func (p *process) stop() error {
	if err := p.stdin.Close(); err != nil {
		return err
	}
	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.role, err)
	}
	return nil
}

// usage returns what the process has used so far.
func (p *process) usage(ctx context.Context) (usage, error) { return ask[usage](ctx, p, pathUsage) }

// memory makes the process collect its garbage and returns what is left.
func (p *process) memory(ctx context.Context) (memory, error) { return ask[memory](ctx, p, pathMemory) }

// begun returns how many requests an upstream has begun to serve.
func (p *process) begun(ctx context.Context) (int, error) { return ask[int](ctx, p, pathBegun) }

// ask decodes the JSON that a process answers a control path with.
func ask[T any](ctx context.Context, p *process, path string) (T, error) {
	var answer T
	body, err := p.fetch(ctx, path)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, fmt.Errorf("%s%s: %w", p.role, path, err)
	}
	return answer, nil
}

// fetch returns the body that the process answers a control path with.
func (p *process) fetch(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.control+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.role, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", p.role, path, err)
	}
	return body, nil
}

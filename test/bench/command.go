package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// buildCommand builds the gateway's command into folder and returns its path.
func buildCommand(ctx context.Context, folder string) (string, error) {
	program := filepath.Join(folder, "understudy")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/understudyhq/understudy/cmd/understudy")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the command: %w: %s", err, output)
	}
	return program, nil
}

// serveCommand starts the gateway's command with a configuration file, and returns the
// address that it prints.
func serveCommand(ctx context.Context, program, file string) (*exec.Cmd, string, error) {
	command := exec.CommandContext(ctx, program, "serve", "-c", file)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := command.Start(); err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, "", fmt.Errorf("read the command's greeting: %w", errors.Join(err, command.Process.Kill(), command.Wait()))
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	address := regexp.MustCompile(`http://(\S+)`).FindStringSubmatch(line)
	if address == nil {
		return nil, "", fmt.Errorf("no address in %q: %w", line, errors.Join(command.Process.Kill(), command.Wait()))
	}
	return command, address[1], nil
}

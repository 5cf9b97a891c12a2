package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	return c
}

// output runs a program and returns what it printed, without the space around it.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	return printed(command(ctx, dir, name, args...))
}

func printed(c *exec.Cmd) (string, error) {
	text, err := c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(c.Args, " "), err)
	}
	return strings.TrimSpace(string(text)), nil
}

package nodes

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// program is the import path of the node's program.
const program = "github.com/fastqueue/fastqueue/cmd/fastqueue"

// Build makes the program at path, with the given flags of go build. It must be called inside the repository.
func Build(ctx context.Context, path string, flags ...string) error {
	args := append(append([]string{"build", "-o", path}, flags...), program)
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// Repository is the root of the checkout that the program is started in.
func Repository(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("root of the repository: %w\n%s", err, errs.String())
	}
	return strings.TrimSpace(string(out)), nil
}

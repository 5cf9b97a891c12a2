package planted

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Test is a test of a package, "./fsm" for instance.
type Test struct{ Package, Name string }

func (t Test) String() string { return t.Name + " of " + t.Package }

// RunTest runs the patch's test with the patch, and returns what it printed if it failed: then it has found the fault.
func (p *Patch) RunTest(ctx context.Context) (failure string, err error) {
	dir, err := os.MkdirTemp("", "planted-test-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "test")
	err = p.with(func(overlay string) error {
		out, err := p.command(ctx, ".", "go", "test", "-c", "-overlay", overlay, "-o", binary, p.Test.Package).CombinedOutput()
		if err != nil {
			return fmt.Errorf("build of %s: %w\n%s", p.Test.Package, err, out)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	pattern := "^" + p.Test.Name + "$"
	listed, err := p.command(ctx, p.Test.Package, binary, "-test.list", pattern).Output()
	if err != nil || len(listed) == 0 {
		return "", errors.Join(fmt.Errorf("there is no %s", p.Test), err)
	}
	out, err := p.command(ctx, p.Test.Package, binary, "-test.run", pattern, "-rapid.nofailfile").CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); failed && ctx.Err() == nil {
		return string(out), nil
	}
	return "", err
}

// command is a command in a directory of the checkout.
func (p *Patch) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = filepath.Join(p.root, dir)
	return c
}

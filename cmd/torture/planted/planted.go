package planted

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// The lines of a patch's description that say which promise it breaks, and how to show it.
const (
	findsLine  = "Finds:"
	faultsLine = "Faults:"
	loadLine   = "Load:"
	storeLine  = "Store:"
	testLine   = "Test:"
)

// Patch is one of scripts/planted.
type Patch struct {
	Name  string // of the file, without .patch
	About string // its description, in one line
	// Finds are the promises that it breaks: the line "Finds: I1, I6". That a run breaks another one proves nothing.
	Finds []string
	// Faults show what it breaks, when the short run's own do not: the description's line "Faults: a,b".
	Faults []string
	// Load is the load with which it shows, when it does not with that of the short run: the line "Load: handoffs".
	Load string
	// Store is the log store in which it is: the line "Store: bolt".
	Store string
	// Test names a package and a test in it that must fail in place of the short run, for a fault whose moment no load of a
	// minute meets: the line "Test: ./fsm TestName".
	Test Test

	root  string
	files []*filePatch
}

// folder is where the patches are.
func folder(root string) string { return filepath.Join(root, "scripts", "planted") }

// List returns all patches of a checkout, in the order of their names.
func List(root string) ([]*Patch, error) {
	paths, err := filepath.Glob(filepath.Join(folder(root), "*.patch"))
	if err != nil {
		return nil, err
	}
	var all []*Patch
	for _, path := range paths {
		p, err := Open(root, strings.TrimSuffix(filepath.Base(path), ".patch"))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Open reads the patch of a name.
func Open(root, name string) (*Patch, error) {
	text, err := os.ReadFile(filepath.Join(folder(root), name+".patch"))
	if err != nil {
		return nil, fmt.Errorf("planted patch: %w", err)
	}
	p := &Patch{Name: name, root: root, files: parsePatch(string(text))}
	if len(p.files) == 0 {
		return nil, fmt.Errorf("planted patch %s changes no file", name)
	}
	var about []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "--- ") {
			break
		}
		name, value, _ := strings.Cut(line, " ")
		switch name {
		case findsLine:
			p.Finds = list(value)
		case faultsLine:
			p.Faults = list(value)
		case loadLine:
			p.Load = value
		case storeLine:
			p.Store = value
		case testLine:
			p.Test.Package, p.Test.Name, _ = strings.Cut(value, " ")
		case "":
		default:
			about = append(about, line)
		}
	}
	if len(p.Finds) == 0 && p.Test.Name == "" {
		return nil, fmt.Errorf("planted patch %s says neither what it breaks, for instance %q, nor which test shows it", name, findsLine+" I1")
	}
	p.About = strings.Join(about, " ")
	return p, nil
}

func list(text string) []string { return strings.Split(strings.ReplaceAll(text, " ", ""), ",") }

// Found returns the first of a run's violations that shows what the patch breaks, or "".
func (p *Patch) Found(violations []string) string {
	for _, v := range violations {
		promise, _, _ := strings.Cut(v, " ")
		if slices.Contains(p.Finds, promise) {
			return v
		}
	}
	return ""
}

// Build makes the program with the patch at path, with further flags of go build. A patch that no longer applies is an error.
func (p *Patch) Build(ctx context.Context, path string, flags ...string) error {
	return p.with(func(overlay string) error {
		return nodes.Build(ctx, path, append([]string{"-overlay", overlay}, flags...)...)
	})
}

// with calls build with the overlay file of the patch.
func (p *Patch) with(build func(overlay string) error) error {
	dir, err := os.MkdirTemp("", "planted-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	overlay, err := p.overlay(dir)
	if err != nil {
		return fmt.Errorf("planted patch %s: %w", p.Name, err)
	}
	return build(overlay)
}

// overlay writes the changed files and the list of them that go build takes.
func (p *Patch) overlay(dir string) (path string, err error) {
	list := struct{ Replace map[string]string }{map[string]string{}}
	for i, f := range p.files {
		original := filepath.Join(p.root, f.path)
		source, err := os.ReadFile(original)
		if err != nil && !(f.isNew && errors.Is(err, fs.ErrNotExist)) {
			return "", err
		}
		changed, err := f.apply(string(source))
		if err != nil {
			return "", err
		}
		replacement := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(replacement, []byte(changed), 0o600); err != nil {
			return "", err
		}
		list.Replace[original] = replacement
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, text, 0o600)
}

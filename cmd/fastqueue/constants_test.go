package main

import (
	"errors"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"regexp"
	"testing"
	"time"
)

// constants are the constants of one source file, by name: documents and files in deploy/ are compared with them, also
// with those that are not exported.
type constants map[string]*types.Const

// constantsOf evaluates the constant declarations of a file of the repository. They may use package time and each other.
func constantsOf(t *testing.T, path string) constants {
	t.Helper()
	return constantsIn(t, repositoryFile(t, path))
}

// httpLimits evaluates the defaults of the limits of a connection.
func httpLimits(t *testing.T) constants {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^\s*(\w+):\s+cmp\.Or\(l\.\w+, (.*)\),$`) // field and default
	source := "package httpd\nimport \"time\"\n"
	for _, field := range lines.FindAllStringSubmatch(repositoryFile(t, "httpd/limits.go"), -1) {
		source += "const " + field[1] + " = " + field[2] + "\n"
	}
	return constantsIn(t, source)
}

func constantsIn(t *testing.T, source string) constants {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	only := &ast.File{Name: file.Name}
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && (g.Tok == token.CONST || g.Tok == token.IMPORT && importsTime(g)) {
			if g.Tok == token.IMPORT {
				g = timeImport(g)
			}
			only.Decls = append(only.Decls, g)
		}
	}
	pkg, err := (&types.Config{Importer: timeOnly{}}).Check(file.Name.Name, files, []*ast.File{only}, nil)
	if err != nil {
		t.Fatalf("constants of %s: %v", file.Name.Name, err)
	}
	c := constants{}
	for _, name := range pkg.Scope().Names() {
		if k, ok := pkg.Scope().Lookup(name).(*types.Const); ok {
			c[name] = k
		}
	}
	if len(c) == 0 {
		t.Fatalf("there are no constants in %s", file.Name.Name)
	}
	return c
}

func importsTime(g *ast.GenDecl) bool { return len(timeImport(g).Specs) > 0 }

// timeImport is an import declaration with package time alone: nothing else is needed for a constant.
func timeImport(g *ast.GenDecl) *ast.GenDecl {
	only := *g
	only.Specs = nil
	for _, s := range g.Specs {
		if i := s.(*ast.ImportSpec); i.Path.Value == `"time"` {
			only.Specs = append(only.Specs, i)
		}
	}
	return &only
}

// timeOnly imports a package time that holds nothing but the units.
type timeOnly struct{}

// Import makes package time.
func (timeOnly) Import(path string) (*types.Package, error) {
	if path != "time" {
		return nil, errors.New("only time can be imported")
	}
	pkg := types.NewPackage("time", "time")
	name := types.NewTypeName(token.NoPos, pkg, "Duration", nil)
	duration := types.NewNamed(name, types.Typ[types.Int64], nil)
	pkg.Scope().Insert(name)
	for unit, d := range map[string]time.Duration{
		"Nanosecond": time.Nanosecond, "Microsecond": time.Microsecond, "Millisecond": time.Millisecond,
		"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour,
	} {
		pkg.Scope().Insert(types.NewConst(token.NoPos, pkg, unit, duration, constant.MakeInt64(int64(d))))
	}
	pkg.MarkComplete()
	return pkg, nil
}

// number is the value of an integer constant; of a time, in nanoseconds.
func (c constants) number(t *testing.T, name string) int64 {
	t.Helper()
	if c[name] == nil {
		t.Fatalf("there is no constant %s", name)
	}
	n, exact := constant.Int64Val(constant.ToInt(c[name].Val()))
	if !exact {
		t.Fatalf("%s is no whole number", name)
	}
	return n
}

func (c constants) duration(t *testing.T, name string) time.Duration {
	t.Helper()
	return time.Duration(c.number(t, name))
}

// isTime says whether a constant is a time.Duration.
func (c constants) isTime(name string) bool {
	named, ok := c[name].Type().(*types.Named)
	return ok && named.Obj().Name() == "Duration"
}

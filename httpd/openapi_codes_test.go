package httpd

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// codesOfTheTable reads from the source which codes meaningOf knows: a switch can't be asked for its cases.
func codesOfTheTable(t *testing.T) []string {
	t.Helper()
	values := map[string]string{} // of constants, by the names that respond.go uses
	for prefix, dir := range map[string]string{"": ".", "fsm.": "../fsm", "cluster.": "../cluster"} {
		files, err := filepath.Glob(filepath.Join(dir, "error*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			ast.Inspect(parse(t, f), func(n ast.Node) bool {
				if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
					if text, ok := spec.Values[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
						values[prefix+spec.Names[0].Name], _ = strconv.Unquote(text.Value)
					}
				}
				return true
			})
		}
	}
	var codes []string
	ast.Inspect(parse(t, "respond.go"), func(n ast.Node) bool {
		f, ok := n.(*ast.FuncDecl)
		if ok && f.Name.Name != "meaningOf" {
			return false
		}
		if c, ok := n.(*ast.CaseClause); ok {
			for _, e := range c.List {
				codes = append(codes, values[nameOf(e)])
			}
		}
		return true
	})
	if len(codes) < 30 || slices.Contains(codes, "") {
		t.Fatalf("the table of codes has %q", codes)
	}
	return codes
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	}
	return ""
}

// TestEveryCodeIsDocumented: in the OpenAPI document and in docs/api.md, with its status.
func TestEveryCodeIsDocumented(t *testing.T) {
	text := readDocs(t)
	known := documentOf(t).doc.Components.Schemas["Error"].Value.Properties["code"].Value.Enum
	for _, code := range append(codesOfTheTable(t), codeInternal) {
		row := "| " + strconv.Itoa(meaningOf(code).status) + " | `" + code + "` | "
		if !strings.Contains(text, row) {
			t.Errorf("docs/api.md has no row %q", row)
		}
		elsewhere := code == codeNotFound || code == codeMethodNotAllowed // of no operation
		if !elsewhere && !slices.Contains(known, any(code)) {
			t.Errorf("no operation is documented to answer %s", code)
		}
	}
	for _, line := range strings.Split(text, "\n") { // and nothing that does not exist
		cells := strings.Split(line, " | ")
		if len(cells) < 3 || !strings.HasPrefix(cells[1], "`") {
			continue
		}
		status, err := strconv.Atoi(strings.TrimPrefix(cells[0], "| "))
		if code := strings.Trim(cells[1], "`"); err == nil && meaningOf(code).status != status {
			t.Errorf("docs/api.md: %s has status %d", line, meaningOf(code).status)
		}
	}
}

func readDocs(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

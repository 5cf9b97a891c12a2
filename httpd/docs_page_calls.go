package httpd

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// calls shows an operation: itself, or its Actions in its place.
func (d *document) calls(path, method string, op *operation) []docsCall {
	c := docsCall{Anchor: op.ID, Method: method, Path: path, Summary: op.Summary, Credentials: credentialsText(op.Security)}
	for _, p := range op.Parameters {
		c.Parameters = append(c.Parameters, docsField{p.Name, typeText(p.Schema), "in the " + p.In + spaced(limitsText(p.Schema)), p.Description})
	}
	ok := op.Responses[0]
	c.Status = ok.Name
	for _, r := range op.Responses[1:] {
		if len(r.Value.Codes) == 0 {
			c.Others = append(c.Others, docsOther{r.Name, r.Value.Description})
		}
	}
	if len(op.Actions) > 0 {
		return d.actionCalls(c, path, op)
	}
	var codes []string
	for _, r := range op.Responses {
		codes = append(codes, r.Value.Codes...)
	}
	c.About, c.Refusals = paragraphs(op.Description), codesTable(codes)
	if op.RequestBody != nil {
		m := op.RequestBody.Content[0].Value
		c.Fields, c.Ignores = d.fieldsOf(m.Schema, true), d.ignores(m.Schema)
		c.Curl = curlOf(method, path, op, m.Example)
	} else {
		c.Curl = curlOf(method, path, op, nil)
	}
	if len(ok.Value.Content) > 0 {
		c.Answer, c.Shows = d.fieldsOf(ok.Value.Content[0].Value.Schema, false), string(ok.Value.Content[0].Value.Example)
	}
	return []docsCall{c}
}

func (d *document) actionCalls(c docsCall, path string, op *operation) []docsCall {
	var all []docsCall
	for _, a := range op.Actions {
		one := c
		one.Anchor, one.Summary, one.About = a.Action, a.Action+": "+a.Summary, paragraphs(a.Description)
		one.Fields, one.Ignores, one.Answer = d.fieldsOf(a.Request, true), d.ignores(a.Request), d.fieldsOf(a.Answer, false)
		one.Shows, one.Curl = string(a.answerExample), curlOf(c.Method, path, op, a.example)
		one.Refusals = codesTable(a.Codes)
		all = append(all, one)
	}
	return all
}

func paragraphs(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n\n")
}

// credentialsText says which credentials an operation takes.
func credentialsText(security []object[[]string]) string {
	var names []string
	for _, s := range security {
		if len(s) == 0 {
			names = append(names, "none")
			continue
		}
		names = append(names, s[0].Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", or ")
}

// curlOf is the operation with its examples as a command for a shell.
func curlOf(method, path string, op *operation, body jsontext.Value) string {
	for _, p := range op.Parameters {
		if p.In == "path" {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", p.Example)
		}
	}
	command := "curl -s"
	if implied := len(body) > 0; (method == "POST") != implied || method != "POST" && method != "GET" {
		command += " -X " + method
	}
	command += " http://127.0.0.1:9080" + path
	if len(op.Security) > 0 && len(op.Security[0]) > 0 {
		command += " \\\n  -H \"Authorization: Bearer $TOKEN\""
	}
	if len(body) > 0 {
		command += " \\\n  -d '" + strings.ReplaceAll(string(body), "'", `'\''`) + "'"
	}
	return strings.ReplaceAll(command, " -X GET", "")
}

// spaced puts a comma before a text that is not empty.
func spaced(text string) string {
	if text == "" {
		return ""
	}
	return ", " + text
}

func number(n *int64) string { return strconv.FormatInt(*n, 10) }

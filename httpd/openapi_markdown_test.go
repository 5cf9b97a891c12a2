package httpd

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// markdownBlock is a fenced block of docs/api.md.
type markdownBlock struct{ language, text string }

func blocksOf(text string) []markdownBlock {
	var blocks []markdownBlock
	for _, m := range regexp.MustCompile("(?s)```(\\w*)\n(.*?)```").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, markdownBlock{m[1], m[2]})
	}
	return blocks
}

// curlRequest takes the request out of a curl command; ok is false where it is none.
func curlRequest(command string) (x exchange, ok bool) {
	command = strings.ReplaceAll(command, "\\\n", " ")
	at := regexp.MustCompile(`http://127\.0\.0\.1:9080(/[^\s"')]*)`).FindStringSubmatch(command)
	if !strings.HasPrefix(command, "curl ") || at == nil {
		return x, false
	}
	x = exchange{method: http.MethodGet, path: at[1], header: http.Header{}}
	if body := regexp.MustCompile(`(?s) -d '(.*?)'`).FindStringSubmatch(command); body != nil {
		x.method, x.request = http.MethodPost, []byte(body[1])
	}
	if m := regexp.MustCompile(` -X (\w+)`).FindStringSubmatch(command); m != nil {
		x.method = m[1]
	}
	return x, true
}

// TestExamplesOfTheMarkdown: each curl command of docs/api.md is a request of the document, and the JSON that follows it an
// answer to it. Every operation and Action has one.
func TestExamplesOfTheMarkdown(t *testing.T) {
	c := documentOf(t)
	shown := map[string]bool{}
	blocks := blocksOf(readDocs(t))
	for i, b := range blocks {
		x, ok := curlRequest(b.text)
		if b.language != "sh" || !ok {
			continue
		}
		op, _, _ := c.find(x.method, strings.Split(x.path, "?")[0])
		if op == nil {
			t.Errorf("not in the document:\n%s", b.text)
			continue
		}
		shown[op.OperationID] = true
		if a, err := actionOf(op, x.request); err != nil {
			t.Fatal(err)
		} else if a != nil {
			shown[a.Action] = true
		}
		for status := range op.Responses.Map() {
			if strings.HasPrefix(status, "2") {
				x.status, _ = strconv.Atoi(status)
			}
		}
		r := op.Responses.Value(strconv.Itoa(x.status)).Value
		for contentType := range r.Content {
			x.header.Set("Content-Type", contentType)
		}
		if next := i + 1; len(r.Content) > 0 && next < len(blocks) && blocks[next].language == "json" {
			x.answer = []byte(blocks[next].text)
		} else if len(r.Content) > 0 && r.Content["text/html"] == nil && r.Content["text/plain"] == nil {
			x.answer = []byte("{}") // which only a document without fields lets pass
		}
		if err := c.check(x); err != nil {
			t.Errorf("%v in\n%s", err, b.text)
		}
	}
	for _, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !shown[op.OperationID] {
				t.Errorf("docs/api.md has no example of %s (%s)", op.OperationID, method)
			}
		}
	}
	for _, act := range actions() {
		if !shown[act.name] {
			t.Errorf("docs/api.md has no example of %s", act.name)
		}
	}
}

// TestMarkdownNamesEverything: every path, every parameter and every field.
func TestMarkdownNamesEverything(t *testing.T) {
	c, text := documentOf(t), readDocs(t)
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if path != patternOf(messagePath) && !strings.Contains(text, "`"+method+" "+path+"`") {
				t.Errorf("docs/api.md does not have `%s %s`", method, path)
			}
			for _, p := range op.Parameters {
				if p.Value.In == "query" && !strings.Contains(text, "`"+p.Value.Name+"`") {
					t.Errorf("docs/api.md does not have the parameter `%s`", p.Value.Name)
				}
			}
		}
	}
	for name, s := range c.doc.Components.Schemas {
		for field := range s.Value.Properties {
			if !strings.Contains(text, `"`+field+`"`) && !strings.Contains(text, "`"+field+"`") {
				t.Errorf("docs/api.md does not have the field %s of %s", field, name)
			}
		}
	}
}

// TestAnchorsOfTheMarkdown: its links to itself lead somewhere.
func TestAnchorsOfTheMarkdown(t *testing.T) {
	text := readDocs(t)
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		headings[strings.ToLower(strings.ReplaceAll(m[1], " ", "-"))] = true
	}
	for _, m := range regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(text, -1) {
		if !headings[m[1]] {
			t.Errorf("no heading for #%s", m[1])
		}
	}
}

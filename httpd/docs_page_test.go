package httpd

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
)

func docsOfServer(t *testing.T) (body, policy string) {
	t.Helper()
	a := newAPI(t)
	a.token = ""
	r := a.must("GET", "/docs", "")
	if got := r.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	return r.body, r.header.Get("Content-Security-Policy")
}

// TestDocsPageNeedsNothing: no script, nothing that is loaded, and a policy that would allow neither.
func TestDocsPageNeedsNothing(t *testing.T) {
	body, policy := docsOfServer(t)
	for _, forbidden := range []string{"<script", "<img", "<link", "<iframe", "javascript:", "@import", "url(", "style=\"", " onclick", "https://"} {
		if strings.Contains(body, forbidden) {
			t.Errorf("the page has %q", forbidden)
		}
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(body)
	if style == nil {
		t.Fatal("the page has no style")
	}
	sum := sha256.Sum256([]byte(style[1]))
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) ||
		!strings.HasPrefix(policy, "default-src 'none';") {
		t.Errorf("policy %q, want %s", policy, want)
	}
}

// TestDocsPageShowsEverything: each operation and Action with an anchor and a command, each field and each code.
func TestDocsPageShowsEverything(t *testing.T) {
	body, _ := docsOfServer(t)
	c := documentOf(t)
	calls := len(actions()) - 1 // they stand in the place of one operation
	for _, item := range c.doc.Paths.Map() {
		for _, op := range item.Operations() {
			calls++
			if op.OperationID != "act" && !strings.Contains(body, `<h3 id="`+op.OperationID+`">`) {
				t.Errorf("no heading of %s", op.OperationID)
			}
		}
	}
	for _, act := range actions() {
		if !strings.Contains(body, `<h3 id="`+act.name+`">`) {
			t.Errorf("no heading of %s", act.name)
		}
	}
	if got := strings.Count(body, "<pre>curl -s "); got != calls {
		t.Errorf("%d commands for %d calls", got, calls)
	}
	for _, s := range c.doc.Components.Schemas {
		for field := range s.Value.Properties {
			if s != c.doc.Components.Schemas["Error"] && !regexp.MustCompile(`<code>([^<]*[.])?`+field+`</code>`).MatchString(body) {
				t.Errorf("no row of the field %s", field)
			}
		}
	}
	for _, want := range []string{"<code>Entries[].MessageAttributes.*.DataType</code>", "1 to 10 items", "0 to 900; without it 0",
		"<td>507</td><td><code>disk_low</code></td>",
		`-d &#39;{&#34;Action&#34;: &#34;SendMessage&#34;`, "Fields that are not here are refused."} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
}

// TestDocsPageIsWellFormed: its elements end, its links to itself lead somewhere and no anchor is there twice.
func TestDocsPageIsWellFormed(t *testing.T) {
	body, _ := docsOfServer(t)
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(body, "<!DOCTYPE html>")))
	anchors, links := map[string]bool{}, map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		start, _ := token.(xml.StartElement)
		for _, at := range start.Attr {
			switch {
			case at.Name.Local == "id" && anchors[at.Value]:
				t.Errorf("anchor %s is there twice", at.Value)
			case at.Name.Local == "id":
				anchors[at.Value] = true
			case at.Name.Local == "href":
				links[at.Value] = true
			}
		}
	}
	for link := range links {
		if anchor, ok := strings.CutPrefix(link, "#"); ok && !anchors[anchor] {
			t.Errorf("link %s leads nowhere", link)
		}
	}
}

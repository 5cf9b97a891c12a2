package httpd

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// docsPage renders a document as one HTML page, which loads nothing and runs nothing.
func docsPage(d *document) (page, error) {
	t, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return page{}, fmt.Errorf("template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, docsOf(d)); err != nil {
		return page{}, fmt.Errorf("render: %w", err)
	}
	style := sha256.Sum256([]byte(docsStyle))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(style[:]) + "'; base-uri 'none'; form-action " +
		"'none'; frame-ancestors 'none'"
	return page{contentType: "text/html; charset=utf-8", policy: policy, body: b.Bytes()}, nil
}

// docsView is what the template shows.
type docsView struct {
	Title, Version string
	Style          template.CSS
	About          []string // paragraphs
	Security       []docsCredential
	Groups         []docsGroup
	Codes          []docsCode
}

type docsCredential struct{ Name, About string }

type docsGroup struct {
	Name, Anchor, About string
	Calls               []docsCall
}

// docsCall is an operation, or an Action of one.
type docsCall struct {
	Anchor, Method, Path, Summary string
	About                         []string
	Credentials                   string
	Parameters, Fields, Answer    []docsField
	Ignores                       bool // fields of the request that it does not know
	Status                        string
	Shows, Curl                   string
	Others                        []docsOther
	Refusals                      []docsCode
}

type docsOther struct{ Status, About string }

type docsField struct{ Name, Type, Limits, About string }

type docsCode struct {
	Code   string
	Status int
	About  string
}

func docsOf(d *document) docsView {
	v := docsView{Title: d.Info.Title, Version: d.Info.Version, Style: docsStyle, About: strings.Split(d.Info.Description, "\n\n")}
	for _, s := range d.Components.SecuritySchemes {
		v.Security = append(v.Security, docsCredential{s.Name, s.Value.Description})
	}
	for _, t := range d.Tags {
		g := docsGroup{Name: t.Name, Anchor: anchorOf(t.Name), About: t.Description}
		for _, p := range d.Paths {
			for _, m := range p.Value {
				if m.Value.Tags[0] == t.Name {
					g.Calls = append(g.Calls, d.calls(p.Name, strings.ToUpper(m.Name), m.Value)...)
				}
			}
		}
		v.Groups = append(v.Groups, g)
	}
	if e := d.Components.Schemas.get("Error"); e != nil {
		v.Codes = codesTable(e.Properties.get("code").Enum)
	}
	return v
}

func anchorOf(name string) string { return strings.ToLower(strings.ReplaceAll(name, " ", "-")) }

// codesTable says what codes mean, by status.
func codesTable(codes []string) []docsCode {
	table := make([]docsCode, 0, len(codes))
	for _, code := range codes {
		m := meaningOf(code)
		table = append(table, docsCode{code, m.status, m.detail})
	}
	slices.SortStableFunc(table, func(a, b docsCode) int { return a.Status - b.Status })
	return table
}

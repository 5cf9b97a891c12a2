package httpd

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// describer makes the document.
type describer struct {
	schemas
	actions []action
	codes   map[string]bool // that any operation has
}

// describe makes the document of a route table; acts is what messagePath takes. Rows without documentation are left out. The
// error says what is not described, or is described and not there.
func describe(table []route, acts []action) (*document, error) {
	b := &describer{actions: acts, codes: map[string]bool{}, schemas: schemas{types: describedTypes(), uses: map[reflect.Type]use{}}}
	d := &document{OpenAPI: "3.0.3", Info: about(), Servers: []documentServer{{"/"}}, Tags: tags()}
	errorSchema := b.component(reflect.TypeFor[errorBody](), inAnswer)
	for _, rt := range table {
		if rt.doc == nil {
			continue
		}
		path := patternOf(rt.path)
		methods := d.Paths.get(path)
		methods.set(strings.ToLower(rt.method), b.operation(rt, rt.doc(), errorSchema))
		d.Paths.set(path, methods)
	}
	d.Components.SecuritySchemes = securitySchemes()
	d.Components.Schemas = b.components
	if code := d.Components.Schemas.get("Error"); code != nil {
		code.Properties.get("code").Enum = sortedKeys(b.codes)
	}
	return d, errors.Join(b.faults...)
}

func sortedKeys(of map[string]bool) []string {
	keys := make([]string, 0, len(of))
	for k := range of {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// operation documents one row.
func (b *describer) operation(rt route, d documentation, errorSchema *schema) *operation {
	op := &operation{ID: d.id, Tags: []string{d.tag}, Summary: d.summary, Description: d.about, Parameters: d.parameters,
		Security: []object[[]string]{}}
	for _, scheme := range securityOf(rt, d) {
		requirement := object[[]string]{}
		if scheme != noScheme {
			requirement.set(scheme, []string{})
		}
		op.Security = append(op.Security, requirement)
	}
	if rt.path == messagePath {
		b.documentActions(op, rt, d, &d)
	}
	if d.request != nil && op.RequestBody == nil {
		s := b.request(d, "")
		op.RequestBody = &requestBody{Required: !d.optional, Content: documentation{}.mediaOf(s, d.example)}
	}
	ok := &response{Description: successText(rt.success), Headers: headersOf(rt.success, d)}
	switch {
	case len(op.Actions) > 0:
		ok.Content = answersOf(op.Actions)
	case d.answer != nil:
		ok.Content = d.mediaOf(b.of(reflect.TypeOf(d.answer), inAnswer), d.shows)
	case d.text != "":
		ok.Content = d.mediaOf(&schema{Type: textType(d.text)}, "")
	}
	op.Responses.set(strconv.Itoa(rt.success), ok)
	b.addRefusals(op, codesOf(rt, d), errorSchema)
	for _, o := range d.others {
		s := b.of(reflect.TypeOf(o.answer), inAnswer)
		op.Responses.set(strconv.Itoa(o.status), &response{Description: o.about, Headers: headersOf(o.status, documentation{}), Content: documentation{}.mediaOf(s, "")})
	}
	return op
}

// textType is the JSON type of an answer of a content type.
func textType(contentType string) string {
	if contentType == "application/json" {
		return "object"
	}
	return "string"
}

// request is the schema of what a documentation's request is read from. Those of Actions are named like the Action and begin
// with it.
func (b *describer) request(d documentation, act string) *schema {
	u := inTolerant
	if d.strict {
		u = inStrict
	}
	t := reflect.TypeOf(d.request)
	if act == "" {
		return b.component(t, u)
	}
	s := b.structure(t, u)
	s.Required = append([]string{"Action"}, slices.DeleteFunc(s.Required, func(name string) bool { return name == "Action" })...)
	properties := object[*schema]{{"Action", &schema{Type: "string", Enum: []string{act}, Description: "What to do."}}}
	for _, p := range s.Properties {
		if p.Name != "Action" {
			properties = append(properties, p)
		}
	}
	s.Properties = properties
	b.components.set(act, s)
	return refTo(act)
}

// documentActions documents what a message request may be; row is the documentation of its row, to which the codes of all
// Actions are added.
func (b *describer) documentActions(op *operation, rt route, d documentation, row *documentation) {
	one := &schema{Discriminator: &discriminator{PropertyName: "Action"}}
	m := media{Schema: one}
	for _, a := range b.actions {
		ad := a.doc()
		s := b.request(ad, a.name)
		one.OneOf = append(one.OneOf, s)
		one.Discriminator.Mapping.set(a.name, s.Ref)
		m.Examples.set(a.name, documentSample{ad.summary, jsontext.Value(ad.example)})
		row.codes = append(row.codes, ad.codes...)
		row.request = ad.request
		ad.parameters = d.parameters
		op.Actions = append(op.Actions, documentedAction{
			Action: a.name, Summary: ad.summary, Description: ad.about, Request: s, Answer: b.of(reflect.TypeOf(ad.answer), inAnswer),
			Codes: codesOf(rt, documentation{codes: append(ad.codes, d.codes...), request: ad.request}), example: jsontext.Value(ad.example), answerExample: jsontext.Value(ad.shows),
		})
	}
	op.RequestBody = &requestBody{Required: true, Content: object[media]{{"application/json", m}}}
}

// answersOf is the content of the answers to all Actions.
func answersOf(acts []documentedAction) object[media] {
	one := &schema{}
	m := media{Schema: one}
	for _, a := range acts {
		if !slices.ContainsFunc(one.OneOf, func(s *schema) bool { return s.Ref == a.Answer.Ref }) {
			one.OneOf = append(one.OneOf, a.Answer)
		}
		m.Examples.set(a.Action, documentSample{"The answer to " + a.Action, a.answerExample})
	}
	return object[media]{{"application/json", m}}
}

// addRefusals documents the errors of an operation, one response for each status. What each code means is meaningOf's.
func (b *describer) addRefusals(op *operation, codes []string, errorSchema *schema) {
	byStatus := map[int][]string{}
	for _, code := range codes {
		b.codes[code] = true
		status := meaningOf(code).status
		byStatus[status] = append(byStatus[status], code)
	}
	statuses := make([]int, 0, len(byStatus))
	for status := range byStatus {
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	for _, status := range statuses {
		r := &response{Codes: byStatus[status], Headers: headersOf(status, documentation{}), Content: documentation{}.mediaOf(errorSchema, "")}
		for _, code := range r.Codes {
			r.Description += fmt.Sprintf("- `%s`: %s\n", code, meaningOf(code).detail)
		}
		op.Responses.set(strconv.Itoa(status), r)
	}
}

// successText says what a success means.
func successText(status int) string {
	switch status {
	case http.StatusCreated:
		return "It was created."
	case http.StatusNoContent:
		return "It was done; the answer has no body."
	}
	return "It was done."
}

// headersOf documents the headers that matter of an answer.
func headersOf(status int, d documentation) object[header] {
	text := &schema{Type: "string"}
	all := object[header]{{"X-Request-Id", header{"The request's id in the logs of the nodes: the client's own, or a new one.", text}}}
	if (meaning{status: status}).later() {
		all.set("Retry-After", header{"Seconds after which the same request may succeed.", &schema{Type: "integer", Minimum: new(int64(1))}})
	}
	if status == http.StatusUnauthorized {
		all.set("WWW-Authenticate", header{"Bearer", text})
	}
	if slices.ContainsFunc(d.parameters, func(p parameter) bool { return p.Name == "after" }) {
		all.set("Link", header{`<URL of the next page>; rel="next". Without it the list ends here.`, text})
	}
	return all
}

package httpd

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
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
		d.codes = append(d.codes, b.addActions(op, rt, d)...)
		d.request = actionRequest{}
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
		r := &response{Description: o.about, Headers: headersOf(0, documentation{}), Content: documentation{}.mediaOf(s, "")}
		op.Responses.set(strconv.Itoa(o.status), r)
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

package httpd

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// documentedRequest is an example of a request and its schema.
type documentedRequest struct {
	method, path string
	schema       *openapi3.Schema
	example      string
}

func documentedRequests(t *testing.T) map[string]documentedRequest {
	t.Helper()
	schemas := documentOf(t).doc.Components.Schemas
	types := describedTypes()
	all := map[string]documentedRequest{}
	for _, rt := range routes() {
		if d := rt.doc(); d.request != nil {
			path := strings.NewReplacer(":name", "x", ":id", "1").Replace(rt.path)
			all[d.id] = documentedRequest{rt.method, path, schemas[types[reflect.TypeOf(d.request)].name].Value, d.example}
		}
	}
	for _, act := range actions() {
		all[act.name] = documentedRequest{"POST", "/v1/queue/q", schemas[act.name].Value, act.doc().example}
	}
	return all
}

// TestLimitsOfTheDocumentAreThoseOfTheHandlers: each field of each example is left out where it is needed, and set to what is
// just allowed and to what is just too little or too much.
func TestLimitsOfTheDocumentAreThoseOfTheHandlers(t *testing.T) {
	a := newStateAPI(t)
	a.undocumented = true
	tried := 0
	for name, r := range documentedRequests(t) {
		for _, edge := range edgesOf(t, r.schema, r.example) {
			tried++
			got := a.do(r.method, r.path, edge.body)
			if refused := got.status == 400 && strings.Contains(got.text("detail"), edge.field); refused == edge.allowed {
				t.Errorf("%s with %s: allowed by the document: %v, answers %d %s", name, clip(edge.body), edge.allowed, got.status, got.body)
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d requests", tried)
	}
}

// edge is a request at the edge of what one field of it may be.
type edge struct {
	field, body string
	allowed     bool
}

// edgesOf are copies of an example, each with another value of one field.
func edgesOf(t *testing.T, s *openapi3.Schema, example string) []edge {
	t.Helper()
	var all []edge
	add := func(field string, allowed bool, change func(fields map[string]any)) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(example), &fields); err != nil {
			t.Fatal(err)
		}
		change(fields)
		body, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, edge{field, string(body), allowed})
	}
	for _, field := range s.Required {
		add(field, false, func(f map[string]any) { delete(f, field) })
	}
	for field, ref := range s.Properties {
		for _, value := range wrongValues(ref.Value) {
			add(field, false, func(f map[string]any) { f[field] = value })
		}
		for _, value := range edgeValues(ref.Value) {
			add(field, true, func(f map[string]any) { f[field] = value })
		}
		if ref.Value.Items == nil || ref.Value.Items.Value.Properties == nil {
			continue
		}
		entries, ok := exampleField(t, example, field).([]any)
		if !ok {
			continue
		}
		first, err := json.Marshal(entries[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, inner := range edgesOf(t, ref.Value.Items.Value, string(first)) {
			add(inner.field, inner.allowed, func(f map[string]any) { f[field] = []any{json.RawMessage(inner.body)} })
		}
	}
	return all
}

func exampleField(t *testing.T, example, field string) any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(example), &fields); err != nil {
		t.Fatal(err)
	}
	return fields[field]
}

// wrongValues are the values just outside the bounds of a schema, and one that no enumeration has.
func wrongValues(s *openapi3.Schema) []any {
	var all []any
	if s.Min != nil {
		all = append(all, int64(*s.Min)-1)
	}
	if s.Max != nil {
		all = append(all, int64(*s.Max)+1)
	}
	if s.MinLength > 0 {
		all = append(all, strings.Repeat("a", int(s.MinLength)-1))
	}
	if s.MaxLength != nil && *s.MaxLength <= 1000 {
		all = append(all, strings.Repeat("a", int(*s.MaxLength)+1))
	}
	if s.Pattern != "" || len(s.Enum) > 0 {
		all = append(all, "a b")
	}
	if s.MaxItems != nil && s.Items.Value.Type.Is("string") {
		all = append(all, make([]string, *s.MaxItems+1))
	}
	if s.MinItems > 0 {
		all = append(all, []any{})
	}
	if s.Items != nil && len(s.Items.Value.Enum) > 0 {
		all = append(all, []string{"a b"})
	}
	return all
}

// edgeValues are the least and the greatest values that a schema allows.
func edgeValues(s *openapi3.Schema) []any {
	var all []any
	if s.Min != nil {
		all = append(all, int64(*s.Min))
	}
	if s.Max != nil {
		all = append(all, int64(*s.Max))
	}
	if s.MinLength > 0 {
		all = append(all, strings.Repeat("a", int(s.MinLength)))
	}
	if s.MaxLength != nil && *s.MaxLength <= 1000 {
		all = append(all, strings.Repeat("a", int(*s.MaxLength)))
	}
	return append(all, s.Enum...)
}

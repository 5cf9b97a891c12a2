package httpd

import (
	"maps"
	"reflect"
)

// described is what the document says of a struct beside what its Go type says.
type described struct {
	name   string // of the schema
	about  string
	fields fields // of its own, by JSON name; those of embedded structs stand with these
}

type fields map[string]field

// field is what the type of a field does not say.
type field struct {
	about     string
	need      bool     // a request without it is refused
	within    *bounds  // of a number, of the characters of a string, or of the items of an array
	pattern   string   // of a string
	values    []string // what the string, or each item of the array, may be
	otherwise any      // what an absent field counts as
	format    string
	nullable  bool
}

// bounds are the least and the greatest allowed number.
type bounds struct{ least, most int64 }

// within gives a field bounds.
func within(least, most int64) *bounds { return &bounds{least, most} }

// addTo completes the schema of a field.
func (f field) addTo(s *schema) {
	if s.Ref != "" {
		return // OpenAPI ignores what stands beside a reference
	}
	s.Description, s.Default = f.about, f.otherwise
	s.Nullable = s.Nullable || f.nullable
	if f.format != "" {
		s.Format = f.format
	}
	words := s
	if s.Type == "array" {
		words = s.Items
	}
	words.Pattern, words.Enum = f.pattern, f.values
	if f.within == nil {
		return
	}
	least, most := &f.within.least, &f.within.most
	switch s.Type {
	case "integer":
		s.Minimum, s.Maximum = least, most
	case "string":
		s.MinLength, s.MaxLength = least, most
	case "array":
		s.MinItems, s.MaxItems = least, most
	}
}

// describedTypes are the descriptions of all requests and answers.
func describedTypes() map[reflect.Type]described {
	all := map[reflect.Type]described{}
	for _, group := range []map[reflect.Type]described{
		userTypes(), keyTypes(), queueTypes(), messageTypes(), batchTypes(), clusterTypes(), nodeTypes(), errorTypes(),
	} {
		maps.Copy(all, group)
	}
	return all
}

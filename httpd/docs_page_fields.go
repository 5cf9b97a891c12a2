package httpd

import (
	"fmt"
	"slices"
	"strings"
)

// resolve follows a reference.
func (d *document) resolve(s *schema) *schema {
	if s.Ref == "" {
		return s
	}
	return d.Components.Schemas.get(strings.TrimPrefix(s.Ref, schemaPath))
}

// ignores says whether a request may have fields that it does not have.
func (d *document) ignores(s *schema) bool { return d.resolve(s).AdditionalProperties == nil }

// fieldsOf lists the fields of an object, and of the objects in it, by their whole names.
func (d *document) fieldsOf(s *schema, request bool) []docsField {
	var list []docsField
	d.addFields(&list, "", d.resolve(s), request, 0)
	return list
}

// maxFieldDepth is how many objects within objects the page shows.
const maxFieldDepth = 4

func (d *document) addFields(list *[]docsField, prefix string, s *schema, request bool, depth int) {
	if depth > maxFieldDepth {
		return
	}
	for _, p := range s.Properties {
		shown := *p.Value
		shown.Nullable = shown.Nullable && !request // there null always counts as absent
		limits := limitsText(&shown)
		switch needed := slices.Contains(s.Required, p.Name); {
		case request && needed:
			limits = strings.TrimPrefix(spaced(limits), ", ")
			limits = "needed" + spaced(limits)
		case !request && !needed:
			limits = "may be absent" + spaced(limits)
		}
		target := d.resolve(p.Value)
		*list = append(*list, docsField{prefix + p.Name, typeText(target), limits, p.Value.Description})
		d.addInner(list, prefix+p.Name, target, request, depth+1)
	}
}

// addInner lists what is in a field.
func (d *document) addInner(list *[]docsField, name string, s *schema, request bool, depth int) {
	switch {
	case s.Items != nil:
		d.addFields(list, name+"[].", d.resolve(s.Items), request, depth)
	case len(s.Properties) > 0:
		d.addFields(list, name+".", s, request, depth)
	}
	values, ok := s.AdditionalProperties.(*schema)
	if !ok {
		return
	}
	for _, alternative := range values.OneOf {
		d.addFields(list, name+".*.", d.resolve(alternative), request, depth)
	}
}

// typeText names the type of a value.
func typeText(s *schema) string {
	text := s.Type
	switch {
	case s.Items != nil && s.Items.Ref != "":
		text = "array of objects"
	case s.Items != nil:
		text = "array of " + s.Items.Type + "s"
	case s.Format == "date-time":
		text = "time (RFC 3339, UTC)"
	case s.Format == "byte":
		text = "string in base64"
	}
	return text
}

// limitsText says what a value may be.
func limitsText(s *schema) string {
	var all []string
	between := func(least, most *int64, what string) {
		switch {
		case least != nil && most != nil:
			all = append(all, number(least)+" to "+number(most)+what)
		case most != nil:
			all = append(all, "at most "+number(most)+what)
		}
	}
	between(s.Minimum, s.Maximum, "")
	between(s.MinLength, s.MaxLength, " characters")
	between(s.MinItems, s.MaxItems, " items")
	between(nil, s.MaxProperties, " members")
	values := s.Enum
	if s.Items != nil {
		values = s.Items.Enum
	}
	if len(values) > 0 {
		all = append(all, strings.Join(values, " | "))
	}
	if s.Default != nil {
		all = append(all, fmt.Sprintf("without it %v", s.Default))
	}
	if s.Nullable {
		all = append(all, "may be null")
	}
	return strings.Join(all, "; ")
}

package httpd

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/fastqueue/fastqueue/fsm"
)

// schema is a JSON schema in OpenAPI's dialect.
type schema struct {
	Ref                  string          `json:"$ref,omitzero"`
	Type                 string          `json:"type,omitzero"`
	Format               string          `json:"format,omitzero"`
	Description          string          `json:"description,omitzero"`
	Nullable             bool            `json:"nullable,omitzero"`
	Enum                 []string        `json:"enum,omitzero"`
	Pattern              string          `json:"pattern,omitzero"`
	Default              any             `json:"default,omitzero"`
	Minimum              *int64          `json:"minimum,omitzero"`
	Maximum              *int64          `json:"maximum,omitzero"`
	MinLength            *int64          `json:"minLength,omitzero"` // characters
	MaxLength            *int64          `json:"maxLength,omitzero"`
	MinItems             *int64          `json:"minItems,omitzero"`
	MaxItems             *int64          `json:"maxItems,omitzero"`
	MaxProperties        *int64          `json:"maxProperties,omitzero"`
	Items                *schema         `json:"items,omitzero"`
	Required             []string        `json:"required,omitzero"`
	Properties           object[*schema] `json:"properties,omitzero"`
	AdditionalProperties any             `json:"additionalProperties,omitzero"` // false or *schema; nil: any
	OneOf                []*schema       `json:"oneOf,omitzero"`
	Discriminator        *discriminator  `json:"discriminator,omitzero"`
}

type discriminator struct {
	PropertyName string         `json:"propertyName"`
	Mapping      object[string] `json:"mapping"`
}

// use is where a type stands.
type use int

const (
	inAnswer   use = iota // every field is there and there are no others
	inTolerant            // a request that ignores fields it does not know
	inStrict              // a request that refuses them
)

const schemaPath = "#/components/schemas/"

func refTo(name string) *schema { return &schema{Ref: schemaPath + name} }

// schemas makes schemas of Go types. Structs become components, described by types.
type schemas struct {
	types      map[reflect.Type]described
	components object[*schema]
	uses       map[reflect.Type]use
	faults     []error // what the descriptions lack or have too much
}

// of is the schema of a type.
func (b *schemas) of(t reflect.Type, u use) *schema {
	switch t {
	case reflect.TypeFor[integer]():
		return &schema{Type: "integer", Format: "int64"}
	case reflect.TypeFor[timestamp](), reflect.TypeFor[time.Time]():
		return &schema{Type: "string", Format: "date-time"}
	case reflect.TypeFor[attributes]():
		return b.attributes(u)
	case reflect.TypeFor[[]byte]():
		return &schema{Type: "string", Format: "byte"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := b.of(t.Elem(), u)
		s.Nullable = u == inAnswer
		return s
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return &schema{Type: "integer", Format: "int64"}
	case reflect.Uint, reflect.Uint32, reflect.Uint64:
		return &schema{Type: "integer", Format: "int64", Minimum: new(int64(0))}
	case reflect.Float64:
		return &schema{Type: "number", Format: "double"}
	case reflect.Slice:
		return &schema{Type: "array", Items: b.of(t.Elem(), u)}
	case reflect.Map:
		return &schema{Type: "object", AdditionalProperties: b.of(t.Elem(), u)}
	case reflect.Struct:
		return b.component(t, u)
	}
	b.faults = append(b.faults, fmt.Errorf("%s has no JSON schema", t))
	return &schema{}
}

// component is a reference to the schema of a struct.
func (b *schemas) component(t reflect.Type, u use) *schema {
	d, ok := b.types[t]
	if !ok {
		b.faults = append(b.faults, fmt.Errorf("%s is not described", t))
		d.name = t.Name()
	}
	if before, ok := b.uses[t]; ok && before != u {
		b.faults = append(b.faults, fmt.Errorf("%s is used in requests and answers, or in strict and tolerant requests", t))
	}
	b.uses[t] = u
	if !b.components.has(d.name) {
		b.components.set(d.name, nil) // its place
		b.components.set(d.name, b.structure(t, u))
	}
	return refTo(d.name)
}

// structure is the schema of a struct itself.
func (b *schemas) structure(t reflect.Type, u use) *schema {
	s := &schema{Type: "object", Description: b.types[t].about}
	if u != inTolerant {
		s.AdditionalProperties = false
	}
	b.addFields(s, t, u)
	return s
}

// addFields adds the fields of a struct, and those of the structs embedded in it.
func (b *schemas) addFields(s *schema, t reflect.Type, u use) {
	fields := b.types[t].fields
	seen := 0
	for i := range t.NumField() {
		f := t.Field(i)
		name := jsonName(f)
		switch {
		case f.Anonymous && name == "":
			b.addFields(s, f.Type, u)
			continue
		case name == "" || name == "-":
			continue
		}
		about, ok := fields[name]
		if !ok || about.about == "" {
			b.faults = append(b.faults, fmt.Errorf("%s of %s is not described", name, t))
		} else {
			seen++
		}
		property := b.of(f.Type, u)
		about.addTo(property)
		absent := strings.Contains(f.Tag.Get("json"), ",omit")
		switch {
		case u == inAnswer && !absent, u != inAnswer && about.need:
			s.Required = append(s.Required, name)
		case u != inAnswer && property.Ref == "":
			property.Nullable = true // null counts as absent
		}
		s.Properties.set(name, property)
	}
	if seen < len(fields) {
		b.faults = append(b.faults, fmt.Errorf("%s has %d fields, and more are described", t, seen))
	}
}

// attributes is the schema of what attributes.go reads and writes, an object of names and values.
func (b *schemas) attributes(u use) *schema {
	t := reflect.TypeFor[typedAttribute]()
	name := b.types[t].name
	if u == inAnswer {
		name = "Received" + name
	} else {
		u = inStrict // also in requests that are tolerant themselves
	}
	if !b.components.has(name) {
		b.components.set(name, b.structure(t, u))
	}
	value := &schema{OneOf: []*schema{{Type: "string"}, refTo(name)}}
	return &schema{Type: "object", MaxProperties: new(int64(fsm.MaxAttributes)), AdditionalProperties: value}
}

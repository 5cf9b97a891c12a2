package httpd

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// maxAttributeNameBytes bounds the name and the DataType of an attribute.
const maxAttributeNameBytes = 256

// attributes is a JSON object of message attributes, each a plain string or an object with a DataType. They go back in the
// shape in which they came. Decoded ones are sorted by name, so that equal messages have equal bytes.
type attributes []*fsmpb.Attribute

// typedAttribute is the JSON of an attribute with a DataType.
type typedAttribute struct {
	DataType    string  `json:"DataType"`
	StringValue *string `json:"StringValue,omitzero"`
	BinaryValue []byte  `json:"BinaryValue,omitzero"` // base64
}

// size is what the attributes count towards the size of a message.
func (a attributes) size() int {
	n := 0
	for _, at := range a {
		n += len(at.GetName()) + len(at.GetDataType()) + len(at.GetStringValue()) + len(at.GetBinaryValue())
	}
	return n
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (a *attributes) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*a = nil
	switch d.PeekKind() {
	case 'n':
		return d.SkipValue()
	case '{':
	default:
		if err := d.SkipValue(); err != nil {
			return err
		}
		return &fieldError{d.StackPointer(), "be a JSON object"}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		at, err := readAttribute(d)
		if err != nil {
			return err
		}
		if *a = append(*a, at); len(*a) > fsm.MaxAttributes {
			return &fieldError{d.StackPointer().Parent(), fmt.Sprintf("have at most %d attributes", fsm.MaxAttributes)}
		}
	}
	slices.SortFunc(*a, func(x, y *fsmpb.Attribute) int { return cmp.Compare(x.GetName(), y.GetName()) })
	_, err := d.ReadToken()
	return err
}

// readAttribute reads one name and its value.
func readAttribute(d *jsontext.Decoder) (*fsmpb.Attribute, error) {
	name, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	at := &fsmpb.Attribute{Name: name.String()}
	if at.Name == "" || len(at.Name) > maxAttributeNameBytes {
		return nil, &fieldError{d.StackPointer().Parent(), fmt.Sprintf("name each attribute in 1 to %d bytes", maxAttributeNameBytes)}
	}
	switch d.PeekKind() {
	case '"':
		value, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		at.Value = &fsmpb.Attribute_StringValue{StringValue: value.String()}
		return at, nil
	case '{':
		return at, readTyped(d, at)
	}
	if err := d.SkipValue(); err != nil {
		return nil, err
	}
	return nil, attributeShape(d.StackPointer())
}

// readTyped reads the value of an attribute that has a DataType.
func readTyped(d *jsontext.Decoder, at *fsmpb.Attribute) error {
	var t typedAttribute
	place := d.StackPointer()
	if err := json.UnmarshalDecode(d, &t, json.RejectUnknownMembers(true)); err != nil {
		var syntactic *jsontext.SyntacticError
		var semantic *json.SemanticError
		switch {
		case errors.As(err, &syntactic):
			return err
		case errors.As(err, &semantic) && semantic.GoType == reflect.TypeFor[[]byte]() && semantic.JSONKind == '"':
			return &fieldError{semantic.JSONPointer, "be base64 with its padding, in the alphabet with + and / (RFC 4648, section 4)"}
		}
		return attributeShape(place)
	}
	kind, _, _ := strings.Cut(t.DataType, ".")
	switch {
	case len(t.DataType) > maxAttributeNameBytes:
		return &fieldError{place, fmt.Sprintf("have a DataType of at most %d bytes", maxAttributeNameBytes)}
	case (kind == "String" || kind == "Number") && t.StringValue != nil && t.BinaryValue == nil:
		at.Value = &fsmpb.Attribute_StringValue{StringValue: *t.StringValue}
	case kind == "Binary" && t.BinaryValue != nil && t.StringValue == nil:
		at.Value = &fsmpb.Attribute_BinaryValue{BinaryValue: t.BinaryValue}
	default:
		return attributeShape(place)
	}
	at.DataType = t.DataType
	return nil
}

// attributeShape refuses the attribute at a place.
func attributeShape(at jsontext.Pointer) error {
	return &fieldError{at, `be a string, or an object with a DataType of String or Number and a StringValue, ` +
		`or with a DataType of Binary and a BinaryValue in base64; a DataType may go on with a dot and a label`}
}

// MarshalJSONTo implements json.MarshalerTo.
func (a attributes) MarshalJSONTo(e *jsontext.Encoder) error {
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, at := range a {
		if err := e.WriteToken(jsontext.String(at.GetName())); err != nil {
			return err
		}
		if err := writeAttribute(e, at); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

func writeAttribute(e *jsontext.Encoder, at *fsmpb.Attribute) error {
	if at.GetDataType() == "" {
		return e.WriteToken(jsontext.String(at.GetStringValue()))
	}
	t := typedAttribute{DataType: at.GetDataType()}
	if b, ok := at.GetValue().(*fsmpb.Attribute_BinaryValue); ok {
		t.BinaryValue = append([]byte{}, b.BinaryValue...)
	} else {
		t.StringValue = new(at.GetStringValue())
	}
	return json.MarshalEncode(e, t)
}

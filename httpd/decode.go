package httpd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fastqueue/fastqueue/fsm"
)

// decode reads a JSON object into the struct that into points to. Fields that the struct does not have are ignored.
// Invalid UTF-8, lone surrogates and names that occur twice are refused.
func decode(body []byte, into any) error {
	return decodeError(json.Unmarshal(body, into), into)
}

// decodeStrict is decode for requests that are newer than the first API document: unknown fields are refused.
func decodeStrict(body []byte, into any) error {
	return decodeError(json.Unmarshal(body, into, json.RejectUnknownMembers(true)), into)
}

// decodeOptional is decodeStrict for requests that may also come without a body.
func decodeOptional(body []byte, into any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	return decodeStrict(body, into)
}

// fieldError is returned by UnmarshalJSONFrom methods: it completes the sentence "<field> must ...".
type fieldError struct {
	field   jsontext.Pointer
	allowed string
}

func (e *fieldError) Error() string { return "must " + e.allowed }

// decodeError says in the API's words what the decoder found; nil stays nil.
func decodeError(err error, into any) error {
	if err == nil {
		return nil
	}
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	var field *fieldError
	switch {
	case errors.As(err, &syntactic) && syntactic.ByteOffset == 0 && errors.Is(err, io.ErrUnexpectedEOF):
		return &apiError{code: codeInvalidJSON, detail: "The body must be a JSON object; it is empty."}
	case errors.As(err, &syntactic):
		return syntaxError(syntactic)
	case !errors.As(err, &semantic):
		return &apiError{code: codeInvalidJSON, detail: "The body must be one JSON object: " + err.Error() + "."}
	case errors.Is(err, json.ErrUnknownName):
		return unknownField(semantic.JSONPointer, into)
	case errors.As(err, &field):
		return invalid(fieldName(field.field), "%s", field.allowed)
	}
	e := invalid(fieldName(semantic.JSONPointer), "be %s", expected(semantic.GoType))
	if semantic.JSONPointer == "" { // the body itself is no object
		e.code = codeInvalidJSON
	}
	return e
}

func syntaxError(err *jsontext.SyntacticError) error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		e := invalid(fieldName(err.JSONPointer), "be given only once")
		e.code = codeInvalidJSON
		return e
	}
	reason := "it is not complete"
	if err.Err != nil {
		reason = strings.TrimPrefix(err.Err.Error(), "jsontext: ")
	}
	return &apiError{code: codeInvalidJSON, detail: fmt.Sprintf("The body is not valid JSON: %s at byte %d.", reason, err.ByteOffset)}
}

// unknownField refuses a field and names the one that was probably meant.
func unknownField(at jsontext.Pointer, into any) error {
	known := fieldNames(structAt(reflect.TypeOf(into), at.Parent()))
	if len(known) == 0 {
		return &apiError{code: fsm.CodeInvalid, detail: fieldName(at) + " is not a field of this request, which has none."}
	}
	return &apiError{code: fsm.CodeInvalid, detail: fmt.Sprintf("%s is not a field of this request; the nearest one is %s.",
		fieldName(at), nearest(at.LastToken(), known))}
}

// fieldName writes a JSON pointer as people write it: Entries[0].MessageBody.
func fieldName(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if _, err := strconv.ParseUint(token, 10, 32); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	if b.Len() == 0 {
		return "The body"
	}
	return clip(b.String())
}

// expected names the JSON type that a Go type is read from.
func expected(t reflect.Type) string {
	if t == nil {
		return "of another type"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return expected(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a string in base64"
		}
		return "an array"
	}
	return "a JSON object"
}

// structAt finds the struct type to which a JSON pointer leads.
func structAt(t reflect.Type, p jsontext.Pointer) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for token := range p.Tokens() {
		switch t.Kind() {
		case reflect.Slice:
			t = t.Elem()
		case reflect.Struct:
			for i := range t.NumField() {
				if jsonName(t.Field(i)) == token {
					t = t.Field(i).Type
					break
				}
			}
		}
	}
	return t
}

// fieldNames lists the JSON names of a struct.
func fieldNames(t reflect.Type) []string {
	if t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if name := jsonName(f); name != "" { // not an embedded struct itself
			names = append(names, name)
		}
	}
	return names
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// integer is an optional whole number. Reading it never fails, so that the refusal can name the range.
type integer struct {
	given bool
	valid bool
	value int64
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (i *integer) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	*i = integer{given: raw.Kind() != 'n'}
	if raw.Kind() == '0' {
		i.value, err = strconv.ParseInt(string(raw), 10, 64)
		i.valid = err == nil
	}
	return nil
}

// between checks a number against its range; an absent one is otherwise.
func (i integer) between(field string, least, most, otherwise int64) (int64, error) {
	if !i.given {
		return otherwise, nil
	}
	if !i.valid || i.value < least || i.value > most {
		return 0, invalid(field, "be a whole number from %d to %d", least, most)
	}
	return i.value, nil
}

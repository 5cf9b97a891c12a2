package client

import "github.com/go-json-experiment/json"

// Attribute is a message attribute. It is a plain string, or a value with a type of the sender's choice; it comes back in
// the shape in which it was sent.
type Attribute struct {
	DataType    string // empty: a plain string
	StringValue string
	BinaryValue []byte // used instead of StringValue when not nil; needs a DataType
}

// StringAttribute returns a plain string attribute.
func StringAttribute(s string) Attribute { return Attribute{StringValue: s} }

type typedAttribute struct {
	DataType    string  `json:"DataType"`
	StringValue *string `json:"StringValue,omitempty"`
	BinaryValue []byte  `json:"BinaryValue,omitempty"`
}

// MarshalJSON writes a plain string, or an object with the type.
func (a Attribute) MarshalJSON() ([]byte, error) {
	if a.DataType == "" {
		return json.Marshal(a.StringValue)
	}
	t := typedAttribute{DataType: a.DataType, BinaryValue: a.BinaryValue}
	if a.BinaryValue == nil {
		t.StringValue = &a.StringValue
	}
	return json.Marshal(t)
}

// UnmarshalJSON reads either shape.
func (a *Attribute) UnmarshalJSON(b []byte) error {
	*a = Attribute{}
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &a.StringValue)
	}
	var t typedAttribute
	if err := json.Unmarshal(b, &t); err != nil {
		return err
	}
	a.DataType, a.BinaryValue = t.DataType, t.BinaryValue
	if t.StringValue != nil {
		a.StringValue = *t.StringValue
	}
	return nil
}

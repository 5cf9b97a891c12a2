package httpd

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fastqueue/fastqueue/fsm"
)

// parameters are the parameters behind the question mark of a URL.
type parameters struct{ url.Values }

// parameters reads them. Those that are not known are refused, because an answer as if they were not there would mislead:
// with a misspelled limit it would be the whole list.
func (r *request) parameters(known ...string) (parameters, error) {
	values, err := url.ParseQuery(r.http.URL.RawQuery)
	if err != nil {
		return parameters{}, &apiError{code: fsm.CodeInvalid, detail: "The part of the URL behind the question mark can't be read: " + clip(err.Error()) + "."}
	}
	for _, name := range sortedNames(values) { // the same error for the same request
		switch {
		case !slices.Contains(known, name):
			return parameters{}, &apiError{code: fsm.CodeInvalid, detail: strconv.Quote(clip(name)) + " is not a parameter of this request; it has " + strings.Join(known, ", ") + "."}
		case len(values[name]) > 1:
			return parameters{}, invalid(name, "be given only once")
		case !utf8.ValidString(values.Get(name)):
			return parameters{}, invalid(name, "be valid UTF-8")
		}
	}
	return parameters{values}, nil
}

func sortedNames(values url.Values) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

package httpd

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
)

// documentation is what the document says of a row of the route table, or of an Action, beside what the row says.
type documentation struct {
	id         string // operationId: the handler's name
	tag        string // where it stands
	summary    string // one sentence, without a point at its end
	about      string
	parameters []parameter

	request  any    // a value of the type that is read; nil: there is no body
	optional bool   // the body may be left out
	strict   bool   // fields that are not known are refused
	answer   any    // a value of the type that is written; nil: there is no body
	text     string // content type of an answer that is no JSON

	others []otherAnswer // successes aside

	codes    []string // beside those that follow from the row: see codesOf
	local    bool     // no other node is asked
	security []string // names of security schemes in place of those that follow from the row; "": without any

	example string // the JSON of a request
	shows   string // the JSON of its answer
}

// otherAnswer is an answer that is neither a success nor an error body.
type otherAnswer struct {
	status int
	about  string
	answer any
}

// The security schemes.
const (
	bearerScheme = "bearer"
	keyScheme    = "apiKey"
	secretScheme = "localSecret"
	noScheme     = ""
)

// securityOf names the security schemes that a row takes, one of which has to be used.
func securityOf(rt route, d documentation) []string {
	switch {
	case d.security != nil:
		return d.security
	case rt.access == public:
		return nil
	case rt.access == adminOrLocal:
		return []string{bearerScheme, keyScheme, secretScheme}
	}
	return []string{bearerScheme, keyScheme}
}

// codesOf are the codes with which a row may refuse a request, sorted.
func codesOf(rt route, d documentation) []string {
	codes := append([]string{codeInternal}, d.codes...)
	asks := len(securityOf(rt, d)) > 0
	if asks {
		codes = append(codes, fsm.CodeUnauthenticated, codeTokenExpired)
	}
	if rt.access == admin || rt.access == adminOrLocal {
		codes = append(codes, fsm.CodeForbidden)
	}
	if rt.kind == write {
		codes = append(codes, codeBodyUnreadable, codeBodyTooLarge, codeUnsupportedEncoding)
	}
	if d.request != nil {
		codes = append(codes, fsm.CodeInvalid, codeInvalidJSON)
	}
	if slices.ContainsFunc(d.parameters, func(p parameter) bool { return p.In == "query" }) {
		codes = append(codes, fsm.CodeInvalid)
	}
	if !d.local || asks { // the keys of tokens may have to be asked for
		codes = append(codes, cluster.CodeNoLeader, cluster.CodeOverloaded, cluster.CodeTimeout)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// mediaOf is the content of a body.
func (d documentation) mediaOf(s *schema, example string) object[media] {
	contentType := "application/json"
	if d.text != "" {
		contentType = d.text
	}
	m := media{Schema: s}
	if example != "" {
		m.Example = jsontext.Value(example)
	}
	return object[media]{{contentType, m}}
}

// pathParameter is a parameter of a path.
func pathParameter(name, about, example string, s *schema) parameter {
	return parameter{Name: name, In: "path", Required: true, Description: about, Schema: s, Example: example}
}

// queryParameter is a parameter behind the question mark.
func queryParameter(name, about string, s *schema) parameter {
	return parameter{Name: name, In: "query", Description: about, Schema: s}
}

// listParameters are what every list takes.
func listParameters(key, example string) []parameter {
	after := queryParameter("after", "The "+key+" that ended the page before, as in its Link header. Without it the list begins at its "+
		"beginning.",
		&schema{Type: "string", MaxLength: new(int64(maxAfterBytes))})
	after.Example = example
	return []parameter{
		queryParameter("limit", "The most items of the answer. Without it the list is whole.",
			&schema{Type: "integer", Format: "int64", Minimum: new(int64(1)), Maximum: new(int64(maxPage))}),
		after,
		consistencyParameter(),
	}
}

func consistencyParameter() parameter {
	return queryParameter("consistency", "linearizable sees every write that was answered before; stale is what the answering node knows, "+
		"however old, and needs no leader.",
		&schema{Type: "string", Enum: []string{linearizable, stale}, Default: linearizable})
}

package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// checker holds requests and answers against an OpenAPI document.
type checker struct{ doc *openapi3.T }

// apiChecker is the checker of the API's own document, which is made once: it takes longer than most tests.
var apiChecker = sync.OnceValues(func() (*checker, error) { return newChecker(publish(routes(), actions())) })

func newChecker(published func() (publication, error)) (*checker, error) {
	p, err := published()
	if err != nil {
		return nil, err
	}
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(p.openAPI.body)
	if err != nil {
		return nil, fmt.Errorf("openapi document: %w", err)
	}
	return &checker{doc}, nil
}

// exchange is one request and its answer.
type exchange struct {
	method, path string // as sent, with its query
	request      []byte
	status       int
	header       http.Header
	answer       []byte
}

// check says what of an exchange the document does not have.
func (c *checker) check(x exchange) error {
	u, err := url.ParseRequestURI(x.path)
	if err != nil {
		return fmt.Errorf("path: %w", err)
	}
	op, pattern, values := c.find(x.method, u.EscapedPath())
	if op == nil {
		return c.checkNowhere(x)
	}
	if err := c.checkAnswer(op, x); err != nil {
		return fmt.Errorf("answer of %s %s: %w", x.method, pattern, err)
	}
	if x.status >= 300 {
		return nil
	}
	if err := checkParameters(op, values, u.Query()); err != nil {
		return fmt.Errorf("request %s %s: %w", x.method, pattern, err)
	}
	if err := checkRequest(op, x.request); err != nil {
		return fmt.Errorf("request %s %s: %w", x.method, pattern, err)
	}
	return nil
}

// checkHeaders says which of the documented headers an answer does not have. Link is only there where a list goes on,
// and some answers are replays.
func (c *checker) checkHeaders(x exchange) error {
	op, _, _ := c.find(x.method, strings.Split(x.path, "?")[0])
	if op == nil || op.Responses.Value(strconv.Itoa(x.status)) == nil {
		return nil
	}
	for name := range op.Responses.Value(strconv.Itoa(x.status)).Value.Headers {
		if x.header.Get(name) == "" && name != "Link" && name != replayedHeader {
			return fmt.Errorf("the answer %d of %s %s has no header %s", x.status, x.method, x.path, name)
		}
	}
	return nil
}

// find looks up the operation of a request, and what its path says for the parameters.
func (c *checker) find(method, path string) (op *openapi3.Operation, pattern string, values map[string]string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, pattern := range c.doc.Paths.InMatchingOrder() {
		values, ok := matchPath(pattern, path)
		if ok {
			return c.doc.Paths.Value(pattern).GetOperation(method), pattern, values
		}
	}
	return nil, "", nil
}

func matchPath(pattern, path string) (map[string]string, bool) {
	names, parts := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(names) != len(parts) {
		return nil, false
	}
	values := map[string]string{}
	for i, name := range names {
		if !strings.HasPrefix(name, "{") {
			if name != parts[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(parts[i])
		if err != nil || parts[i] == "" {
			return nil, false
		}
		values[strings.Trim(name, "{}")] = value
	}
	return values, true
}

// checkNowhere checks an answer to what the document does not have: only two refusals are right.
func (c *checker) checkNowhere(x exchange) error {
	var body errorBody
	if err := json.Unmarshal(x.answer, &body); err != nil && x.method != http.MethodHead {
		return fmt.Errorf("%s %s is not documented, and answers %d %s", x.method, x.path, x.status, x.answer)
	}
	if x.status != 404 && x.status != 405 || body.Code != codeNotFound && body.Code != codeMethodNotAllowed {
		return fmt.Errorf("%s %s is not documented, and answers %d %s", x.method, x.path, x.status, x.answer)
	}
	return nil
}

func (c *checker) checkAnswer(op *openapi3.Operation, x exchange) error {
	r := op.Responses.Value(strconv.Itoa(x.status))
	if r == nil {
		return fmt.Errorf("status %d is not documented; the answer is %s", x.status, x.answer)
	}
	if len(r.Value.Content) == 0 {
		if len(x.answer) > 0 {
			return fmt.Errorf("a body is not documented: %s", x.answer)
		}
		return nil
	}
	contentType, _, _ := strings.Cut(x.header.Get("Content-Type"), ";")
	m := r.Value.Content[contentType]
	if m == nil {
		return fmt.Errorf("content type %q is not documented", contentType)
	}
	if contentType != "application/json" {
		return nil
	}
	value, err := validate(m.Schema, x.answer)
	if err != nil || x.method == http.MethodHead {
		return err
	}
	a, err := actionOf(op, x.request)
	if err != nil {
		return err
	}
	codes, ok := stringsOf(r.Value.Extensions["x-codes"])
	if a != nil && ok {
		codes = a.Codes
	}
	if code, _ := value.(map[string]any)["code"].(string); ok && !slices.Contains(codes, code) {
		return fmt.Errorf("code %q of status %d is not documented; the answer is %s", code, x.status, x.answer)
	}
	if a != nil && !ok {
		_, err = validate(c.doc.Components.Schemas[strings.TrimPrefix(a.Answer.Ref, schemaPath)], x.answer)
	}
	return err
}

// knownAction is a member of x-actions.
type knownAction struct {
	Action string
	Codes  []string
	Answer struct {
		Ref string `json:"$ref"`
	}
}

// actionOf finds what the document says of the Action of a request; nil where there is none.
func actionOf(op *openapi3.Operation, request []byte) (*knownAction, error) {
	if op.Extensions["x-actions"] == nil {
		return nil, nil
	}
	var known []knownAction
	text, err := json.Marshal(op.Extensions["x-actions"])
	if err == nil {
		err = json.Unmarshal(text, &known)
	}
	if err != nil {
		return nil, fmt.Errorf("x-actions: %w", err)
	}
	var in actionRequest
	if json.Unmarshal(request, &in) != nil {
		return nil, nil // it was refused
	}
	for i := range known {
		if known[i].Action == in.Action {
			return &known[i], nil
		}
	}
	return nil, nil
}

func stringsOf(list any) ([]string, bool) {
	items, ok := list.([]any)
	var all []string
	for _, item := range items {
		s, _ := item.(string)
		all = append(all, s)
	}
	return all, ok
}

// checkParameters checks the parameters of a request that was carried out.
func checkParameters(op *openapi3.Operation, path map[string]string, query url.Values) error {
	for name, value := range path {
		p := op.Parameters.GetByInAndName("path", name)
		if p == nil {
			return fmt.Errorf("path parameter %s is not documented", name)
		}
		if err := p.Schema.Value.VisitJSON(value); err != nil {
			return fmt.Errorf("path parameter %s: %w", name, err)
		}
	}
	takesSome := slices.ContainsFunc(op.Parameters, func(p *openapi3.ParameterRef) bool { return p.Value.In == "query" })
	for name, values := range query {
		if !takesSome {
			continue // it does not look at them
		}
		p := op.Parameters.GetByInAndName("query", name)
		if p == nil {
			return fmt.Errorf("query parameter %s is not documented", name)
		}
		var value any = values[0]
		if p.Schema.Value.Type.Is("integer") {
			n, err := strconv.ParseFloat(values[0], 64)
			if err != nil {
				return fmt.Errorf("query parameter %s: %w", name, err)
			}
			value = n
		}
		if err := p.Schema.Value.VisitJSON(value); err != nil {
			return fmt.Errorf("query parameter %s: %w", name, err)
		}
	}
	return nil
}

// checkRequest checks the body of a request that was carried out.
func checkRequest(op *openapi3.Operation, body []byte) error {
	if op.RequestBody == nil {
		return nil // it is not looked at
	}
	if len(bytes.TrimSpace(body)) == 0 && !op.RequestBody.Value.Required {
		return nil
	}
	_, err := validate(op.RequestBody.Value.Content["application/json"].Schema, body)
	return err
}

func validate(s *openapi3.SchemaRef, body []byte) (any, error) {
	if s == nil {
		return nil, errors.New("there is no schema")
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return nil, fmt.Errorf("JSON %s: %w", body, err)
	}
	if err := s.Value.VisitJSON(value, openapi3.EnableFormatValidation()); err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\nSchema:") // which follows at length
		return value, fmt.Errorf("%s: %s", body, reason)
	}
	return value, nil
}

package httpd

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// document is an OpenAPI 3.0 document: what of the standard this API needs. It is made from the route table, the table of
// Actions and the Go types of requests and answers; nothing of it is written down twice.
type document struct {
	OpenAPI    string                     `json:"openapi"`
	Info       documentInfo               `json:"info"`
	Servers    []documentServer           `json:"servers"`
	Tags       []documentTag              `json:"tags"`
	Paths      object[object[*operation]] `json:"paths"`
	Components components                 `json:"components"`
}

type documentInfo struct {
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Version     string  `json:"version"`
	License     license `json:"license"`
}

type license struct {
	Name string `json:"name"`
}

type documentServer struct {
	URL string `json:"url"`
}

type documentTag struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

type components struct {
	Schemas         object[*schema]        `json:"schemas"`
	SecuritySchemes object[securityScheme] `json:"securitySchemes"`
}

type securityScheme struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme,omitzero"`
	In          string `json:"in,omitzero"`
	Name        string `json:"name,omitzero"`
	Description string `json:"description"`
}

// operation is one method of one path.
type operation struct {
	ID          string             `json:"operationId"`
	Tags        []string           `json:"tags"`
	Summary     string             `json:"summary"`
	Description string             `json:"description,omitzero"`
	Parameters  []parameter        `json:"parameters,omitzero"`
	RequestBody *requestBody       `json:"requestBody,omitzero"`
	Responses   object[*response]  `json:"responses"`
	Security    []object[[]string] `json:"security"`
	Actions     []documentedAction `json:"x-actions,omitzero"` // of the path that takes an Action
}

// documentedAction is what OpenAPI has no word for: which answer and which codes belong to which of several requests.
type documentedAction struct {
	Action      string   `json:"action"`
	Summary     string   `json:"summary"`
	Description string   `json:"description"`
	Request     *schema  `json:"request"`
	Answer      *schema  `json:"answer"`
	Codes       []string `json:"codes"`

	example, answerExample jsontext.Value
}

type parameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"` // path, query or header
	Required    bool    `json:"required"`
	Description string  `json:"description"`
	Schema      *schema `json:"schema"`
	Example     string  `json:"example,omitzero"`
}

type requestBody struct {
	Required bool          `json:"required"`
	Content  object[media] `json:"content"`
}

type media struct {
	Schema   *schema                `json:"schema"`
	Example  jsontext.Value         `json:"example,omitzero"`
	Examples object[documentSample] `json:"examples,omitzero"`
}

type documentSample struct {
	Summary string         `json:"summary"`
	Value   jsontext.Value `json:"value"`
}

// response is all answers with one status.
type response struct {
	Description string         `json:"description"`
	Headers     object[header] `json:"headers,omitzero"`
	Content     object[media]  `json:"content,omitzero"`
	Codes       []string       `json:"x-codes,omitzero"` // of errors
}

type header struct {
	Description string  `json:"description"`
	Schema      *schema `json:"schema"`
}

// publication is what GET /openapi.json and GET /docs answer.
type publication struct {
	openAPI, docs page
}

// publish returns the publication of a route table, which is made when it is first asked for and then kept.
func publish(table []route, acts []action) func() (publication, error) {
	return sync.OnceValues(func() (publication, error) {
		d, err := describe(table, acts)
		if err != nil {
			return publication{}, fmt.Errorf("openapi document: %w", err)
		}
		text, err := json.Marshal(d)
		if err != nil {
			return publication{}, fmt.Errorf("encode openapi document: %w", err)
		}
		docs, err := docsPage(d)
		if err != nil {
			return publication{}, fmt.Errorf("docs page: %w", err)
		}
		return publication{openAPI: page{contentType: "application/json", body: append(text, '\n')}, docs: docs}, nil
	})
}

func (s *Server) showOpenAPI(context.Context, *request) (any, error) {
	p, err := s.published()
	return p.openAPI, err
}

func (s *Server) showDocs(context.Context, *request) (any, error) {
	p, err := s.published()
	return p.docs, err
}

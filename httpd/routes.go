package httpd

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
)

// access says who may use a route.
type access int

const (
	public access = iota
	user          // with a valid access token
	admin         // with the access token of a user who has the admin role
)

// kind says whether a request can change anything. Refused writes say what became of them.
type kind int

const (
	read kind = iota
	write
)

// handler carries out a request whose caller is known and whose body is read. ctx ends when the client has gone or the
// time for a request is over.
type handler func(s *Server, ctx context.Context, r *request) (any, error)

// route is one row of the API.
type route struct {
	method, path string
	access       access
	kind         kind
	success      int // status
	handler      handler
}

// routes is the API. Reads have no body; a GET also answers HEAD.
func routes() []route {
	return []route{
		{http.MethodPost, "/v1/auth/register", public, write, http.StatusOK, (*Server).registerUser},
		{http.MethodPost, "/v1/auth/login", public, write, http.StatusOK, (*Server).login},
		{http.MethodPost, "/v1/auth/refresh", public, write, http.StatusOK, (*Server).refreshToken},
		{http.MethodPost, "/v1/auth/change-password", public, write, http.StatusOK, (*Server).changePassword},
		{http.MethodPost, "/v1/auth/delete", public, write, http.StatusOK, (*Server).deleteUser},

		{http.MethodPost, "/v1/queues", user, write, http.StatusCreated, (*Server).createQueue},
		{http.MethodGet, "/v1/queues", user, read, http.StatusOK, (*Server).listQueues},
		{http.MethodGet, "/v1/queues/:name", user, read, http.StatusOK, (*Server).getQueue},
		{http.MethodPatch, "/v1/queues/:name", user, write, http.StatusOK, (*Server).updateQueue},
		{http.MethodDelete, "/v1/queues/:name", user, write, http.StatusNoContent, (*Server).deleteQueue},
		{http.MethodPost, "/v1/queues/:name/purge", user, write, http.StatusOK, (*Server).purgeQueue},

		{http.MethodPost, "/v1/queue/:name", user, write, http.StatusOK, (*Server).act},

		{http.MethodGet, "/v1/cluster", user, read, http.StatusOK, (*Server).viewCluster},
		{http.MethodGet, "/livez", public, read, http.StatusOK, (*Server).livez},
		{http.MethodGet, "/readyz", public, read, http.StatusOK, (*Server).readyz},
	}
}

// engine makes gin's router of a route table. Paths are matched as they were sent, so that an encoded slash belongs to a
// name.
func (s *Server) engine(table []route) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.HandleMethodNotAllowed = true
	e.UseRawPath = true
	for i := range table {
		rt := &table[i]
		e.Handle(rt.method, rt.path, s.serve(rt))
		if rt.method == http.MethodGet {
			e.Handle(http.MethodHead, rt.path, s.serve(rt))
		}
	}
	e.NoRoute(s.serve(&route{handler: (*Server).unknownPath}))
	e.NoMethod(s.serve(&route{handler: (*Server).wrongMethod}))
	return e
}

func (s *Server) unknownPath(_ context.Context, r *request) (any, error) {
	return nil, &apiError{code: codeNotFound,
		detail: "There is nothing at this path. The API's paths begin with /v1; its document lists them."}
}

func (s *Server) wrongMethod(_ context.Context, r *request) (any, error) {
	return nil, &apiError{code: codeMethodNotAllowed,
		detail: "This path does not take " + clip(r.http.Method) + "; the Allow header lists what it takes."}
}

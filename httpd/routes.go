package httpd

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
)

// access says who may use a route.
type access int

const (
	public       access = iota
	user                // with the access token or an API key of a user
	admin               // of a user who has the admin role, which the state machine decides
	adminOrLocal        // or with the local secret of the node, from its own machine
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
	doc          func() documentation // nil: not in the document
}

// messagePath is where messages are sent, received and deleted; actions.go is the table of what it takes.
const messagePath = "/v1/queue/:name"

// routes is the API. Reads have no body; a GET also answers HEAD.
func routes() []route {
	return []route{
		{http.MethodPost, "/v1/auth/register", public, write, http.StatusOK, (*Server).registerUser, docRegisterUser},
		{http.MethodPost, "/v1/auth/login", public, write, http.StatusOK, (*Server).login, docLogin},
		{http.MethodPost, "/v1/auth/refresh", public, write, http.StatusOK, (*Server).refreshToken, docRefreshToken},
		{http.MethodPost, "/v1/auth/change-password", public, write, http.StatusOK, (*Server).changePassword, docChangePassword},
		{http.MethodPost, "/v1/auth/delete", public, write, http.StatusOK, (*Server).deleteUser, docDeleteUser},
		{http.MethodPost, "/v1/auth/logout", public, write, http.StatusOK, (*Server).logout, docLogout},
		{http.MethodPost, "/v1/auth/api-keys", user, write, http.StatusCreated, (*Server).createAPIKey, docCreateAPIKey},
		{http.MethodGet, "/v1/auth/api-keys", user, read, http.StatusOK, (*Server).listAPIKeys, docListAPIKeys},
		{http.MethodDelete, "/v1/auth/api-keys/:id", user, write, http.StatusNoContent, (*Server).deleteAPIKey, docDeleteAPIKey},
		{http.MethodGet, "/v1/auth/users", admin, read, http.StatusOK, (*Server).listUsers, docListUsers},
		{http.MethodPatch, "/v1/auth/users/:name", admin, write, http.StatusOK, (*Server).setRole, docSetRole},
		{http.MethodPost, "/v1/auth/reset-password", adminOrLocal, write, http.StatusOK, (*Server).resetPassword, docResetPassword},

		{http.MethodPost, "/v1/queues", user, write, http.StatusCreated, (*Server).createQueue, docCreateQueue},
		{http.MethodGet, "/v1/queues", user, read, http.StatusOK, (*Server).listQueues, docListQueues},
		{http.MethodGet, "/v1/queues/:name", user, read, http.StatusOK, (*Server).getQueue, docGetQueue},
		{http.MethodPatch, "/v1/queues/:name", user, write, http.StatusOK, (*Server).updateQueue, docUpdateQueue},
		{http.MethodDelete, "/v1/queues/:name", user, write, http.StatusNoContent, (*Server).deleteQueue, docDeleteQueue},
		{http.MethodPost, "/v1/queues/:name/purge", user, write, http.StatusOK, (*Server).purgeQueue, docPurgeQueue},

		{http.MethodPost, messagePath, user, write, http.StatusOK, (*Server).act, docAct},

		{http.MethodGet, "/v1/cluster", user, read, http.StatusOK, (*Server).viewCluster, docViewCluster},
		{http.MethodDelete, "/v1/cluster/members/:name", admin, write, http.StatusNoContent, (*Server).removeMember, docRemoveMember},
		{http.MethodPost, "/v1/cluster/leader", admin, write, http.StatusOK, (*Server).transferLeadership, docTransferLeadership},
		{http.MethodPost, "/v1/cluster/join-tokens", admin, write, http.StatusCreated, (*Server).createJoinToken, docCreateJoinToken},
		{http.MethodGet, "/v1/cluster/join-tokens", admin, read, http.StatusOK, (*Server).listJoinTokens, docListJoinTokens},
		{http.MethodDelete, "/v1/cluster/join-tokens/:id", admin, write, http.StatusNoContent, (*Server).revokeJoinToken, docRevokeJoinToken},
		{http.MethodGet, "/livez", public, read, http.StatusOK, (*Server).livez, docLivez},
		{http.MethodGet, "/readyz", public, read, http.StatusOK, (*Server).readyz, docReadyz},
		{http.MethodGet, "/metrics", public, read, http.StatusOK, (*Server).showMetrics, docShowMetrics}, // which looks who asks
		{http.MethodGet, "/openapi.json", public, read, http.StatusOK, (*Server).showOpenAPI, docShowOpenAPI},
		{http.MethodGet, "/docs", public, read, http.StatusOK, (*Server).showDocs, docShowDocs},
	}
}

// engine makes gin's router of a route table. Paths are matched as they were sent, so that an encoded slash belongs to a
// name.
func (s *Server) engine(table []route) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.HandleMethodNotAllowed = true
	e.UseEscapedPath, e.UnescapePathValues = true, false // gin's own unescaping makes a space of a plus sign
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

package httpd

import (
	"fmt"
	"reflect"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm"
)

// The groups of operations.
const (
	usersTag    = "Users"
	keysTag     = "API keys"
	queuesTag   = "Queues"
	messagesTag = "Messages"
	clusterTag  = "Cluster"
	nodeTag     = "The node"
)

func tags() []documentTag {
	return []documentTag{
		{usersTag, "Who may do what. New users have the role user; those with the role admin also manage users and the cluster."},
		{keysTag, "Credentials for programs. A key has the rights of its user, but creates no keys, resets no passwords and makes no " +
			"admins; it survives a change of password and ends with its user."},
		{queuesTag, "Where messages wait."},
		{messagesTag, "One path takes all requests about messages; the field Action says what to do."},
		{clusterTag, "The members of the cluster."},
		{nodeTag, "What the answering node says of itself."},
	}
}

func about() documentInfo {
	return documentInfo{
		Title:   "FastQueue",
		Version: "v1",
		License: license{"Apache-2.0"},
		Description: fmt.Sprintf("Every node of a cluster answers every request. Requests and answers are JSON in UTF-8; a field that is "+
			"null counts as absent. "+
			"A success of a write means that it is on the disks of a majority of the cluster.\n\n"+
			"Whatever is refused is answered with an error body: detail is for people, code for programs. For writes, outcome says what "+
			"became of them: "+
			"not_applied had no effect and will have none, so it can be sent again; unknown may have taken effect, or still may, so look "+
			"before you repeat it.\n\n"+
			"The body of a message request has at most %d bytes, that of any other %d.\n\n"+
			"A path that is not here is answered with 404 %s, a method that a path does not take with 405 %s; a GET also answers HEAD.",
			maxBodyBytes, maxSmallBodyBytes, codeNotFound, codeMethodNotAllowed),
	}
}

func securitySchemes() object[securityScheme] {
	life := int(fsm.AccessTokenLife.Minutes())
	return object[securityScheme]{
		{bearerScheme, securityScheme{Type: "http", Scheme: "bearer",
			Description: fmt.Sprintf("The access token of a log-in, good for %d minutes, or an API key.", life)}},
		{keyScheme, securityScheme{Type: "apiKey", In: "header", Name: "X-API-Key",
			Description: "An API key, which begins with " + auth.APIKeyPrefix + "."}},
		{secretScheme, securityScheme{Type: "apiKey", In: "header", Name: "Authorization",
			Description: "\"" + localScheme + " <secret>\" with the content of the file local-secret in the node's data directory. Only " +
				"on a direct connection from " +
				"the node's own machine, and only once: a new secret is made after each use."}},
	}
}

func errorTypes() map[reflect.Type]described {
	return map[reflect.Type]described{
		reflect.TypeFor[errorBody](): {"Error", "The answer to whatever is refused.", fields{
			"detail":     {about: "For people: what happened, what is allowed and what to do next."},
			"code":       {about: "For programs."},
			"request_id": {about: "The request's id in the logs of the nodes."},
			"outcome":    {about: "Of writes: what became of it.", values: []string{outcomeNotApplied, outcomeUnknown}},
		}},
	}
}

package httpd

import (
	"net"
	"net/http"
	"strings"

	"github.com/fastqueue/fastqueue/fsm"
)

// LocalSecret proves that a request comes from somebody who may read this node's data directory.
type LocalSecret interface {
	// Use says whether this is the present secret. One that was used is worthless.
	Use(secret string) bool
}

// localScheme begins the Authorization header of who comes with the local secret.
const localScheme = "Local"

// isLocal says whether the request comes with a local secret instead of a user's credential.
func (s *Server) isLocal(r *request) bool {
	scheme, _, _ := strings.Cut(r.http.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, localScheme)
}

// useLocalSecret refuses a request whose local secret is not the present one. It comes last before the request is carried
// out, because the secret is worthless after it.
func (s *Server) useLocalSecret(r *request) error {
	r.proof = byLocal
	if !sameMachine(r.http) {
		return &apiError{code: fsm.CodeForbidden,
			detail: "The local secret is only good on a direct connection from the node's own machine. Run the command there, or let an admin do it."}
	}
	_, secret, _ := strings.Cut(r.http.Header.Get("Authorization"), " ")
	if s.localSecret == nil || !s.localSecret.Use(strings.TrimSpace(secret)) {
		return &apiError{code: fsm.CodeUnauthenticated,
			detail: "This is not the present local secret of this node. It is in the file local-secret of the node's data directory, and a new one is made after each use."}
	}
	return nil
}

// sameMachine says whether both ends of the request's connection are on this machine and nobody passed the request on:
// behind a proxy every client would look local.
func sameMachine(r *http.Request) bool {
	for _, passedOn := range []string{"X-Forwarded-For", "Forwarded", "Via"} {
		if len(r.Header.Values(passedOn)) > 0 {
			return false
		}
	}
	remote := ipOf(r.RemoteAddr)
	if remote == nil {
		return false
	}
	if remote.IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && remote.Equal(ipOf(local.String()))
}

// ipOf is the IP address of a host:port; nil if it has none.
func ipOf(address string) net.IP {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	host, _, _ = strings.Cut(host, "%") // an IPv6 zone
	return net.ParseIP(host)
}

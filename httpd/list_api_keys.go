package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// apiKeyList is the answer to GET /v1/auth/api-keys.
type apiKeyList struct {
	APIKeys []apiKeyView `json:"api_keys"`
}

// listAPIKeys shows the caller's keys, or to an admin those of the user whom ?username names.
func (s *Server) listAPIKeys(ctx context.Context, r *request) (any, error) {
	p, at, read, err := s.list(r, "username")
	if err != nil {
		return nil, err
	}
	if _, ok := parseID(at.after); !ok && at.after != "" {
		return nil, invalid("after", "be the id that ended the page before, a whole number")
	}
	keys, next, err := collect(at, func(after string, limit uint32) ([]*fsmpb.APIKey, bool, error) {
		id, _ := parseID(after)
		result, err := read(ctx, &fsmpb.Query{
			Principal: r.principal(),
			Op:        &fsmpb.Query_ListApiKeys{ListApiKeys: &fsmpb.ListAPIKeys{After: id, Limit: limit, UserName: p.Get("username")}},
		})
		return result.GetApiKeys().GetApiKeys(), result.GetApiKeys().GetMore(), err
	}, func(k *fsmpb.APIKey) string { return idOf(k.GetId()) })
	if err != nil {
		return nil, err
	}
	out := apiKeyList{APIKeys: make([]apiKeyView, 0, len(keys))}
	now := s.node.Now()
	for _, k := range keys {
		out.APIKeys = append(out.APIKeys, viewOfAPIKey(k, now))
	}
	return pageOf(r, p, out, next), nil
}

package httpd

import (
	"cmp"
	"context"
	"slices"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// joinTokenList is the answer to GET /v1/cluster/join-tokens.
type joinTokenList struct {
	JoinTokens []joinTokenView `json:"join_tokens"`
}

// joinTokenView is the JSON of a join token, of which only its owner has the text.
type joinTokenView struct {
	ID      string     `json:"id"`
	Created *timestamp `json:"created"` // null: the cluster began with it
}

// listJoinTokens shows the tokens by id. There are so few that one query reads them all and the page is cut out here.
func (s *Server) listJoinTokens(ctx context.Context, r *request) (any, error) {
	p, at, read, err := s.list(r)
	if err != nil {
		return nil, err
	}
	result, err := read(ctx, &fsmpb.Query{Principal: r.principal(), Op: &fsmpb.Query_ListJoinKeys{ListJoinKeys: &fsmpb.ListJoinKeys{}}})
	if err != nil {
		return nil, err
	}
	keys := slices.SortedFunc(slices.Values(result.GetJoinKeys().GetJoinKeys()), func(a, b *fsmpb.JoinKey) int { return cmp.Compare(a.GetId(), b.GetId()) })
	out := joinTokenList{JoinTokens: []joinTokenView{}}
	for _, k := range keys {
		if k.GetId() <= at.after {
			continue
		}
		if at.limit > 0 && len(out.JoinTokens) == at.limit {
			return pageOf(r, p, out, out.JoinTokens[at.limit-1].ID), nil
		}
		out.JoinTokens = append(out.JoinTokens, joinTokenView{ID: k.GetId(), Created: timestampOrNull(k.GetCreatedMs())})
	}
	return pageOf(r, p, out, ""), nil
}

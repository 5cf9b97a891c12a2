package httpd

import (
	"context"
	"strings"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// newAPIKey is the JSON of an API key to create.
type newAPIKey struct {
	Name string  `json:"name"`
	Days integer `json:"expires_in_days"`
}

// createdAPIKey is the only answer that has the key itself.
type createdAPIKey struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Key      string     `json:"key"`
	Hint     string     `json:"hint"`
	Created  timestamp  `json:"created"`
	Expires  *timestamp `json:"expires"`   // null: never
	LastUsed *timestamp `json:"last_used"` // null: never
}

func (in *newAPIKey) check() (days int64, err error) {
	name := in.Name
	if name == "" || len(name) > fsm.MaxAPIKeyNameBytes || name != strings.TrimSpace(name) || strings.ContainsFunc(name, isUnseen) {
		return 0, invalid("name", "be 1 to %d bytes without control or format characters and without spaces at its ends", fsm.MaxAPIKeyNameBytes)
	}
	return in.Days.between("expires_in_days", 1, fsm.MaxAPIKeyDays, 0)
}

func (s *Server) createAPIKey(ctx context.Context, r *request) (any, error) {
	var in newAPIKey
	if err := decodeStrict(r.body, &in); err != nil {
		return nil, err
	}
	days, err := in.check()
	if err != nil {
		return nil, err
	}
	text, hash, hint := auth.NewAPIKey()
	result, err := s.propose(ctx, &fsmpb.Command{
		Principal: r.principal(),
		Op:        &fsmpb.Command_CreateApiKey{CreateApiKey: &fsmpb.CreateAPIKey{Name: in.Name, Hash: hash, Hint: hint, ExpiresInDays: uint32(days)}},
	})
	if err != nil {
		return nil, err
	}
	k := viewOfAPIKey(result.GetApiKey(), s.node.Now())
	return createdAPIKey{ID: k.ID, Name: k.Name, Key: text, Hint: k.Hint, Created: k.Created, Expires: k.Expires, LastUsed: k.LastUsed}, nil
}

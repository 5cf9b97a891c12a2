package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// APIKey is a lasting credential of a user, which may do what the user may, except make API keys.
type APIKey struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Key      string     `json:"key,omitempty"` // only in the answer to CreateAPIKey: the cluster does not keep it
	Hint     string     `json:"hint"`          // the first characters of the key
	Created  time.Time  `json:"created,omitzero"`
	Expires  *time.Time `json:"expires"`   // nil: never
	LastUsed *time.Time `json:"last_used"` // to the hour; nil: never
	Expired  bool       `json:"expired,omitempty"`
}

// CreateAPIKey makes an API key for the user who is logged in. expiresInDays 0 means never.
func (c *Client) CreateAPIKey(ctx context.Context, name string, expiresInDays int) (APIKey, error) {
	in := struct {
		Name string `json:"name"`
		Days int    `json:"expires_in_days,omitzero"`
	}{name, expiresInDays}
	var k APIKey
	err := c.do(ctx, call{method: http.MethodPost, path: "/auth/api-keys", in: in, out: &k})
	return k, err
}

// APIKeys goes through the API keys of the user who asks, or, for admins, of the user who is named. It ends after an error.
func (c *Client) APIKeys(ctx context.Context, username string) iter.Seq2[APIKey, error] {
	return pages(ctx, c, "/auth/api-keys", ofUser(username), func(p *struct {
		APIKeys []APIKey `json:"api_keys"`
	}) []APIKey {
		return p.APIKeys
	}, func(k APIKey) string { return k.ID })
}

// DeleteAPIKey ends an API key of the user who asks, or, for admins, of the user who is named.
func (c *Client) DeleteAPIKey(ctx context.Context, username, id string) error {
	path := "/auth/api-keys/" + url.PathEscape(id)
	if q := ofUser(username); len(q) > 0 {
		path += "?" + q.Encode()
	}
	return c.do(ctx, call{method: http.MethodDelete, path: path})
}

func ofUser(username string) url.Values {
	if username == "" {
		return nil
	}
	return url.Values{"username": {username}}
}

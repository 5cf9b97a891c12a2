package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultTimeout is how long one attempt at one node may take, beside the time that a receive asks to wait.
const DefaultTimeout = 10 * time.Second

// connectionsPerNode is how many idle connections are kept to each node.
const connectionsPerNode = 256

// Config says where the nodes are and who is asking.
type Config struct {
	// URLs are the base addresses of the nodes, such as "http://127.0.0.1:9080", in order of preference; at least one.
	URLs []string
	// APIKey is sent with every request. It never has to be renewed, and everything below that proves who asks is left aside.
	APIKey string
	// Username and Password log in when a token is needed. They may be empty when there is another credential, or for
	// Register alone.
	Username, Password string
	// Token is an access token to begin with. Without a Username it is never renewed.
	Token string
	// Tokens keeps the tokens of a login beyond the life of the client; nil means in memory. A store with tokens in it needs
	// no Username and Password until its refresh token has ended.
	Tokens TokenStore
	// Timeout bounds one attempt at one node; 0 means DefaultTimeout. The context given to a call bounds all attempts.
	Timeout time.Duration
	// Patience is how long a call goes on asking all nodes, with pauses, while none of them could have applied it or it is
	// harmless to repeat: long enough for an election, it hides one. Sends are not repeated for longer than the cluster remembers
	// them, which it does for the user's youngest 10,000 idempotency keys. 0 means that each node is asked once.
	Patience time.Duration
	// Transport carries the requests; nil means one of the client's own with keep-alive connections.
	Transport http.RoundTripper
}

// Client talks to a FastQueue cluster. It is safe for concurrent use.
type Client struct {
	bases    []string // base addresses with /v1
	timeout  time.Duration
	patience time.Duration
	http     *http.Client
	current  atomic.Uint32 // index into bases of the node that answered last
	sessions *session
}

// New checks the configuration and returns a Client. It does not connect.
func New(c Config) (*Client, error) {
	if len(c.URLs) == 0 {
		return nil, errors.New("no node address: give at least one URL such as http://127.0.0.1:9080")
	}
	bases := make([]string, 0, len(c.URLs))
	for _, u := range c.URLs {
		base, err := baseURL(u)
		if err != nil {
			return nil, err
		}
		bases = append(bases, base)
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	transport := c.Transport
	if transport == nil {
		transport = newTransport()
	}
	return &Client{
		bases:    bases,
		timeout:  timeout,
		patience: c.Patience,
		http:     &http.Client{Transport: transport},
		sessions: newSession(&c),
	}, nil
}

// Close ends the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// baseURL checks one node's address and adds the API's version, which may already be there.
func baseURL(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", fmt.Errorf("node address %q: want http://HOST:PORT or https://HOST:PORT", address)
	}
	return u.Scheme + "://" + u.Host + strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/v1") + "/v1", nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		MaxIdleConns:          0,
		MaxIdleConnsPerHost:   connectionsPerNode,
		IdleConnTimeout:       time.Minute,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 0, // a long poll answers late; each attempt has its own deadline
	}
}

package httpd

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"

	"github.com/fastqueue/fastqueue/auth"
)

// The limits of a connection. writeTimeout runs from the end of the header: it has to hold a slow body, the longest wait
// for messages and the answer.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 90 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 32 << 10
	maxConnections    = 20_000 // more wait in the kernel's queue until one ends
)

// Config is what a Server needs to know.
type Config struct {
	Addr   string // host:port to listen on; port 0 takes a free one
	Logger hclog.Logger
	Hasher *auth.Hasher // nil: a new one; the process should have only one, since it limits the cores in use
}

// Server serves the HTTP API of one node.
type Server struct {
	node    Node
	logger  hclog.Logger
	hasher  *auth.Hasher
	tokens  *tokenCache
	buffers buffers
	actions map[string]handler

	addr     string
	http     *http.Server
	listener net.Listener // set by Open
	failed   chan error
}

// New makes a server; Open starts it.
func New(cfg Config, node Node) *Server { return newServer(cfg, node, routes()) }

func newServer(cfg Config, node Node, table []route) *Server {
	s := &Server{node: node, logger: cfg.Logger, hasher: cfg.Hasher, addr: cfg.Addr, tokens: newTokenCache(maxCachedTokens),
		actions: actions(), failed: make(chan error, 1)}
	if s.logger == nil {
		s.logger = hclog.NewNullLogger()
	}
	if s.hasher == nil {
		s.hasher = auth.NewHasher()
	}
	s.http = &http.Server{
		Handler:           s.engine(table),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          s.connectionLog(),
	}
	return s
}

// connectionLog takes net/http's complaints about single connections, which are the clients' affair.
func (s *Server) connectionLog() *log.Logger {
	return s.logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})
}

// Open listens and begins to answer. A port that is taken or an address that is not this machine's is an error.
func (s *Server) Open() error {
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("http listener: %w", err)
	}
	s.listener = l
	go func() {
		if err := s.http.Serve(netutil.LimitListener(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("http server: %w", err)
		}
	}()
	return nil
}

// Addr is the address on which an opened server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Handler is the API without a listener.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Failed receives the error of a server that stopped answering without Close.
func (s *Server) Failed() <-chan error { return s.failed }

// Close stops listening, waits for the requests in progress until ctx ends, and then closes what is left of them. The
// node's drain comes before it: until then requests are answered with "Connection: close".
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err == nil {
		return nil
	}
	if closeErr := s.http.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	return fmt.Errorf("http shutdown: %w", err)
}

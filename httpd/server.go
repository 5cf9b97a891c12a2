package httpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/httpd/http1"
)

// Config is what a Server needs to know.
type Config struct {
	Addr   string // host:port to listen on; port 0 takes a free one
	Logger hclog.Logger
	Hasher *auth.Hasher // nil: a new one; the process should have only one, since it limits the cores in use

	LocalSecret LocalSecret // nil: nobody resets a password without being an admin

	Limits Limits // zero values have their defaults

	Metrics      *Metrics                                                 // of this server alone; nil: new ones, with a registry of their own
	QueueMetrics func(match func(queue string) bool) prometheus.Collector // what /metrics?queue=GLOB shows; nil: nothing
	MetricsOpen  bool                                                     // /metrics asks nobody for a credential
}

// Server serves the HTTP API of one node.
type Server struct {
	node    Node
	logger  hclog.Logger
	hasher  *auth.Hasher
	tokens  *tokenCache
	buffers buffers
	bodies  bodyBudget
	answers *answerBudget
	actions map[string]handler

	published func() (publication, error) // the document of the API

	localSecret  LocalSecret
	failedLogins failedLogins

	metrics      *Metrics
	queueMetrics func(match func(queue string) bool) prometheus.Collector
	metricsOpen  bool
	scraping     chan struct{} // holds a token while metrics are read

	addr     string
	limits   Limits
	http     *http1.Server
	listener net.Listener // set by Open
	failed   chan error
}

// New makes a server; Open starts it.
func New(cfg Config, node Node) *Server { return newServer(cfg, node, routes()) }

func newServer(cfg Config, node Node, table []route) *Server {
	s := &Server{node: node, logger: cfg.Logger, hasher: cfg.Hasher, addr: cfg.Addr, tokens: newTokenCache(maxCachedTokens),
		actions: handlersOf(actions()), published: publish(table, actions()), failed: make(chan error, 1)}
	s.metrics, s.queueMetrics, s.metricsOpen, s.scraping = cfg.Metrics, cfg.QueueMetrics, cfg.MetricsOpen, make(chan struct{}, 1)
	s.localSecret, s.limits = cfg.LocalSecret, cfg.Limits.orDefaults()
	s.bodies.max, s.bodies.maxStrangers = s.limits.BodyBytes, s.limits.BodyBytes/4
	s.answers = newAnswerBudget(s.limits.AnswerBytes)
	if s.metrics == nil {
		s.metrics = NewMetrics(prometheus.NewRegistry())
	}
	if s.logger == nil {
		s.logger = hclog.NewNullLogger()
	}
	s.failedLogins.logger = s.logger
	if s.hasher == nil {
		s.hasher = auth.NewHasher()
	}
	s.http = &http1.Server{
		Handler:     s.engine(table),
		Logger:      s.logger,
		ReadHeader:  s.limits.ReadHeader,
		Read:        s.limits.Read,
		Write:       s.limits.Write,
		Idle:        s.limits.Idle,
		HeaderBytes: s.limits.HeaderBytes,
		Connections: s.limits.Connections,
		Opened:      func(by int) { s.metrics.connections.Add(float64(by)) },
	}
	return s
}

// Open listens and begins to answer. A port that is taken or an address that is not this machine's is an error.
func (s *Server) Open() error {
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("http listener: %w", err)
	}
	s.listener = l
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
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

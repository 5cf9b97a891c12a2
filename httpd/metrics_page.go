package httpd

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"path"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/fastqueue/fastqueue/fsm"
)

// maxGlobBytes bounds ?queue=: no name of a queue is longer.
const maxGlobBytes = fsm.MaxQueueNameBytes

// showMetrics answers GET /metrics in the text format of Prometheus: everything, or with ?queue=GLOB only the families of
// the queues, for the queues whose names match. It needs no leader.
func (s *Server) showMetrics(ctx context.Context, r *request) (any, error) {
	if err := s.mayReadMetrics(ctx, r); err != nil {
		return nil, err
	}
	gatherer, err := s.gathererFor(r)
	if err != nil {
		return nil, err
	}
	select { // one at a time: a cluster may have 100,000 queues
	case s.scraping <- struct{}{}:
		defer func() { <-s.scraping }()
	case <-ctx.Done():
		return nil, &apiError{code: codeBusy, detail: "The metrics are being read by others at the moment. Read them less often."}
	}
	families, err := gatherer.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	return encodeMetrics(families, acceptsGzip(r.http.Header))
}

// mayReadMetrics lets everybody on this machine read, and who comes from elsewhere with a credential, which this node
// checks by itself. Through a proxy everybody would look like a local caller.
func (s *Server) mayReadMetrics(ctx context.Context, r *request) error {
	if s.metricsOpen || onLoopback(r.http) {
		return nil
	}
	if err := s.authenticate(r); err != nil {
		return err
	}
	return s.checkHere(ctx, r)
}

// onLoopback says whether both ends of a request's connection are on the loopback interface and nobody passed it on.
func onLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && sameMachine(r) && ipOf(local.String()).IsLoopback() && ipOf(r.RemoteAddr).IsLoopback()
}

// gathererFor is what the request wants to see.
func (s *Server) gathererFor(r *request) (prometheus.Gatherer, error) {
	query := r.http.URL.Query()
	if !query.Has("queue") {
		return s.metrics.registry, nil
	}
	glob := query.Get("queue")
	if _, err := path.Match(glob, ""); err != nil || glob == "" || len(glob) > maxGlobBytes {
		return nil, invalid("queue", "be a pattern of at most %d bytes for the names of queues, such as orders-* (* any characters, ? one, [a-c] one of these)", maxGlobBytes)
	}
	some := prometheus.NewRegistry()
	if s.queueMetrics != nil {
		matches := func(name string) bool {
			ok, err := path.Match(glob, name)
			return ok && err == nil
		}
		if err := some.Register(s.queueMetrics(matches)); err != nil {
			return nil, fmt.Errorf("register queue metrics: %w", err)
		}
	}
	return some, nil
}

func acceptsGzip(h http.Header) bool {
	for _, accepted := range strings.Split(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, parameters, _ := strings.Cut(accepted, ";")
		if strings.TrimSpace(name) == "gzip" && strings.ReplaceAll(parameters, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// encodeMetrics writes the text format, version 0.0.4, which every collector of metrics reads.
func encodeMetrics(families []*dto.MetricFamily, zip bool) (page, error) {
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	p := page{contentType: string(format)}
	var b bytes.Buffer
	var encoder expfmt.Encoder
	var zipper *gzip.Writer
	if zip {
		zipper = gzip.NewWriter(&b)
		encoder = expfmt.NewEncoder(zipper, format)
		p.encoding = "gzip"
	} else {
		encoder = expfmt.NewEncoder(&b, format)
	}
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			return p, fmt.Errorf("encode metrics: %w", err)
		}
	}
	if zip {
		if err := zipper.Close(); err != nil {
			return p, fmt.Errorf("compress metrics: %w", err)
		}
	}
	p.body, p.own = b.Bytes(), true
	return p, nil
}

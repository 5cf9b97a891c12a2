package fault

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
	"github.com/fastqueue/fastqueue/cmd/torture/proxy"
)

// proxies stand before the cluster ports of the nodes that the round begins with. They need no rights, as network namespaces
// do, and do not go together with those.
type proxies struct{ of map[*nodes.Node]*proxy.Proxy }

// Prepare implements Preparer, for all faults that use the proxies at once.
func (p *proxies) Prepare(_ context.Context, s *Scene) (release func() error, err error) {
	if p.of != nil {
		return nil, nil
	}
	if err := s.link("proxies before the cluster ports"); err != nil {
		return nil, err
	}
	p.of = map[*nodes.Node]*proxy.Proxy{}
	release = func() error {
		var errs []error
		for _, each := range p.of {
			errs = append(errs, each.Close())
		}
		return errors.Join(errs...)
	}
	for _, n := range s.Cluster.Nodes {
		address, err := nodes.FreeAddress()
		if err != nil {
			return release, err
		}
		each, err := proxy.Listen(address, proxy.To(n.Peer), s.Random.Uint64())
		if err != nil {
			return release, err
		}
		p.of[n] = each
		n.Flags = append(n.Flags[:len(n.Flags):len(n.Flags)], "--advertise-cluster", each.Addr())
	}
	return release, nil
}

// proxied marks faults that do not go together with network namespaces.
func (p *proxies) proxied() {}

// resets counts the connections that the proxies have reset so far.
func (p *proxies) resets() (n uint64) {
	for _, each := range p.of {
		n += each.Counters().Reset
	}
	return n
}

// swallowed counts the bytes of answers that the proxies have swallowed so far.
func (p *proxies) swallowed() (n uint64) {
	for _, each := range p.of {
		n += each.Counters().Responses.Dropped
	}
	return n
}

// proxyFaults are all faults that use the proxies, which they share.
func proxyFaults() []Fault {
	p := &proxies{}
	return []Fault{newCutAnswers(p), newForgottenAnswers(p)}
}

// metric reads one number of a node's metrics.
func metric(n *nodes.Node, name string) (float64, error) {
	status, page, err := n.Get("/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(page) {
		if value, ok := strings.CutPrefix(line, name+" "); ok && status == http.StatusOK {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, errors.New(n.Name + " does not tell " + name)
}

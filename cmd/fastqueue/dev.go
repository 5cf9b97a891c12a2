package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/cluster/transport"
)

const (
	maxDevNodes  = 7
	devPortStep  = 100
	devRestart   = time.Second      // before a node that died is started again
	devReady     = 60 * time.Second // for a node to become ready
	devPoll      = 100 * time.Millisecond
	devStopLimit = 15 * time.Second // between SIGTERM and SIGKILL
)

// devCluster is the cluster of "fastqueue dev": child processes of this binary on loopback ports.
type devCluster struct {
	nodes     int
	port      int // HTTP port of the first node; each next one has 100 more, cluster ports one more than HTTP
	dataDir   string
	logLevel  string
	reserve   string // of disk space, for each node
	token     string
	password  string
	out       *lineWriter
	processes sync.WaitGroup
	pids      [maxDevNodes]atomic.Int64
	started   chan error // what ended a node before all were ready
	ready     atomic.Bool
}

func newDevCommand() *cobra.Command {
	d := &devCluster{started: make(chan error, maxDevNodes)}
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run a cluster on this machine, to try and to develop with",
		Long: `Run a cluster of real processes on the loopback addresses of this machine. Ctrl-C stops all of them. A node that
dies is started again after a second, so kill one and watch.`,
		Example: `  fastqueue dev
  fastqueue dev --data-dir ./dev-data    # keeps the data for the next time`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return d.run(c.Context()) },
	}
	c.Flags().IntVar(&d.nodes, "nodes", 3, "number of nodes, 1 to 7; an odd number is best")
	c.Flags().IntVar(&d.port, "port", 9080, "HTTP port of the first node; each next node has 100 more")
	c.Flags().StringVar(&d.dataDir, "data-dir", "", "directory that keeps the data (default: a temporary one, deleted at the end)")
	c.Flags().StringVar(&d.reserve, "disk-reserve", "", "disk space to keep free, as of \"fastqueue serve\"")
	c.Flags().StringVar(&d.logLevel, "log-level", "error", "log level of the nodes")
	return c
}

func (d *devCluster) run(ctx context.Context) (err error) {
	if err := d.check(); err != nil {
		return usage(err)
	}
	if d.dataDir == "" {
		if d.dataDir, err = os.MkdirTemp("", "fastqueue-dev-"); err != nil {
			return fmt.Errorf("temporary directory: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(d.dataDir)) }()
	}
	if err := os.MkdirAll(d.dataDir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if d.token, err = secret(joinTokenVariable, filepath.Join(d.dataDir, joinTokenFile), transport.NewJoinToken); err != nil {
		return err
	}
	if d.password, err = secret(adminVariable, filepath.Join(d.dataDir, adminPasswordFile), newPassword); err != nil {
		return err
	}
	d.out = &lineWriter{w: os.Stderr}
	ctx, cancel := context.WithCancel(ctx)
	defer d.processes.Wait()
	defer cancel()
	for i := range d.nodes {
		d.processes.Go(func() { d.keepRunning(ctx, i) })
	}
	if err := d.waitReady(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := d.greet(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// check refuses what can't work before anything is started.
func (d *devCluster) check() error {
	if d.nodes < 1 || d.nodes > maxDevNodes {
		return fmt.Errorf("--nodes %d: 1 to %d are possible", d.nodes, maxDevNodes)
	}
	if last := d.port + (d.nodes-1)*devPortStep + 1; d.port < 1 || last > 65_535 {
		return fmt.Errorf("--port %d: the ports of %d nodes would go up to %d, and 65535 is the last one", d.port, d.nodes, last)
	}
	for i := range d.nodes {
		for _, address := range []string{d.http(i), d.cluster(i)} {
			l, err := net.Listen("tcp", address)
			if err != nil {
				return fmt.Errorf("%s is needed and not free (%w): stop what listens there, or choose other ports with --port", address, err)
			}
			if err := l.Close(); err != nil {
				return fmt.Errorf("close probe of %s: %w", address, err)
			}
		}
	}
	if err := checkGivenSecrets(); err != nil {
		return err
	}
	return d.checkDirectory()
}

// checkDirectory refuses a directory of something else, or of more nodes than are to be started: they might not be a
// majority.
func (d *devCluster) checkDirectory() error {
	if d.dataDir == "" {
		return nil
	}
	if err := checkDataDir(d.dataDir); err != nil {
		return err
	}
	if fileExists(filepath.Join(d.dataDir, "node.json")) {
		return fmt.Errorf("--data-dir %s is the directory of a single node: use it with \"fastqueue serve\", or choose another one", d.dataDir)
	}
	for i := maxDevNodes; i > d.nodes; i-- {
		if fileExists(filepath.Join(d.dataDir, d.name(i-1))) {
			return fmt.Errorf("--data-dir %s was made with %d nodes: start it with --nodes %d", d.dataDir, i, i)
		}
	}
	return nil
}

func (d *devCluster) http(i int) string { return fmt.Sprintf("127.0.0.1:%d", d.port+i*devPortStep) }
func (d *devCluster) cluster(i int) string {
	return fmt.Sprintf("127.0.0.1:%d", d.port+i*devPortStep+1)
}
func (d *devCluster) name(i int) string { return fmt.Sprintf("node%d", i+1) }

// waitReady returns when all nodes are ready.
func (d *devCluster) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, devReady)
	defer cancel()
	ticker := time.NewTicker(devPoll)
	defer ticker.Stop()
	for i := 0; i < d.nodes; {
		if d.isReady(ctx, i) {
			i++
			continue
		}
		select {
		case <-ticker.C:
		case err := <-d.started:
			return err
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %s; its messages are above", d.name(i), devReady)
		}
	}
	d.ready.Store(true)
	return nil
}

func (d *devCluster) isReady(ctx context.Context, i int) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.http(i)+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/httpd"
)

const (
	handOverLimit = 10 * time.Second // for what is in flight and the leadership, each time that it is handed over on SIGTERM
	drainAgain    = 200 * time.Millisecond
	closeLimit    = 5 * time.Second // for requests in progress after the drain time
)

// daemon is one running node: the cluster's member and the HTTP API on it.
type daemon struct {
	options nodeOptions
	log     hclog.Logger
	node    *cluster.Node
	server  *httpd.Server
	secret  *localSecret
	member  bool // the data directory belonged to a member when it was opened
}

// openDaemon opens the ports. The node is not a member yet; the API says so.
func openDaemon(ctx context.Context, o nodeOptions) (*daemon, error) {
	log, err := o.logger()
	if err != nil {
		return nil, err
	}
	reserve, err := cluster.ParseDiskReserve(o.diskReserve)
	if err != nil {
		return nil, fmt.Errorf("--disk-reserve: %w", err)
	}
	o.tuning.warn(log)
	d := &daemon{options: o, log: log, secret: newLocalSecret(o.dataDir, log)}
	registry := newRegistry()
	config := cluster.Config{
		DataDir: o.dataDir, NodeName: o.nodeName,
		ClusterAddr: o.clusterAddr, AdvertiseCluster: o.advertiseCluster, AdvertiseHTTP: o.advertiseHTTP,
		Peers: o.peers, LogStore: o.logStore, DiskReserve: reserve, Version: version(), Logger: log,
		RegistrationClosed: o.registration == registrationClosed, Metrics: cluster.NewMetrics(registry),
		Exit:    func(code int, reason string) { d.end(code, reason) },
		Restart: d.restart,
		Wall:    wallClock(),
	}
	o.tuning.apply(&config)
	d.node = cluster.New(config)
	d.server = httpd.New(httpd.Config{
		Addr: o.httpAddr, Logger: log.Named("http"), LocalSecret: d.secret,
		Metrics: httpd.NewMetrics(registry), QueueMetrics: d.node.QueueMetrics, MetricsOpen: o.metricsOpen,
	}, d.node)
	if err := d.server.Open(); err != nil { // first, so that a node that waits for room on its disk can say so
		return nil, withPortHint(err, "--http-addr")
	}
	if err := d.openNode(ctx); err != nil {
		closing, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		return nil, errors.Join(err, d.close(closing))
	}
	return d, nil
}

// openNode opens the data directory and the cluster port, once the disk has room for it.
func (d *daemon) openNode(ctx context.Context) error {
	if err := d.node.WaitRoom(ctx); err != nil {
		return err
	}
	o := d.options
	warnOfForeignFiles(d.log, o.dataDir)
	var err error
	if d.member, err = d.node.Open(); err != nil {
		return withDirectoryHint(withPortHint(err, "--cluster-addr"), o.dataDir)
	}
	if d.member && o.nodeNamed && d.node.Name() != o.nodeName {
		return fmt.Errorf("--node-name %s: %s belongs to the node %s, whose name can't be changed; leave the flag out or choose another --data-dir", o.nodeName, o.dataDir, d.node.Name())
	}
	return nil
}

// withPortHint says what to do about a port that is taken.
func withPortHint(err error, flag string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: choose another port with %s, or stop the process that listens there", err, flag)
	}
	return err
}

// serve makes the node a member, says so, and runs until ctx ends. A signal begins the orderly end.
func (d *daemon) serve(ctx context.Context, become func(context.Context) error) error {
	stopProfile, err := startCPUProfile(d.options.cpuProfile)
	if err == nil {
		defer func() {
			if err := stopProfile(); err != nil {
				d.log.Warn("the profile is not whole", "error", err)
			}
		}()
		err = become(ctx)
	}
	if err == nil { // not earlier: only now the directory is certainly not another process's
		err = withDirectoryHint(d.secret.renew(), d.options.dataDir)
	}
	if err == nil {
		d.log.Info("serving", "node", d.node.Name(), "id", d.node.ID(), "http", "http://"+d.options.advertiseHTTP+"/v1", "cluster", d.options.advertiseCluster)
		select {
		case err = <-d.server.Failed():
		case <-ctx.Done():
			d.drain()
		}
	} else {
		err = unlessStopped(ctx, err)
	}
	closing, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if closeErr := d.close(closing); closeErr != nil {
		d.log.Warn("not everything was closed in order", "error", closeErr)
	}
	return err
}

// unlessStopped takes an error for what it is, unless the process was asked to stop before the node was a member.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// drain hands over while requests are still answered, for at least the drain time.
func (d *daemon) drain() {
	d.log.Info("stopping", "drain_time", d.options.drainTime)
	drainFor(d.options.drainTime, d.node.Drain)
}

// drainFor calls drain again and again, each time with the whole limit, until the time is over.
func drainFor(length time.Duration, drain func(context.Context)) {
	enough := time.After(length)
	for {
		handOver, cancel := context.WithTimeout(context.Background(), handOverLimit)
		drain(handOver)
		cancel()
		select {
		case <-enough:
			return
		case <-time.After(drainAgain): // it may have been elected meanwhile
		}
	}
}

func (d *daemon) close(ctx context.Context) error {
	return errors.Join(d.server.Close(ctx), d.node.Close())
}

// end stops the process on the spot: the disk or the state can't be trusted any more, so nothing is tidied up.
func (d *daemon) end(code int, reason string) {
	d.log.Error("the process ends", "reason", reason, "exit_code", code)
	exit(code)
}

// restart replaces the process by a new one with the same arguments.
func (d *daemon) restart(reason string) {
	d.log.Warn("the node starts again", "reason", reason)
	path, err := os.Executable()
	if err == nil {
		err = syscall.Exec(path, os.Args, os.Environ())
	}
	d.end(cluster.ExitStorage, fmt.Sprintf("%s; it could not start again by itself: %v", reason, err))
}

// joinLine is the command that adds another node to this one's cluster.
func (d *daemon) joinLine() string {
	host, port, err := net.SplitHostPort(d.options.advertiseCluster)
	if err != nil {
		return ""
	}
	token := filepath.Join(d.options.dataDir, joinTokenFile)
	if _, err := os.Stat(token); err != nil {
		token = "FILE"
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Sprintf("on another machine, with a copy of %s there:\n    fastqueue join %s --token-file join-token --http-addr ADDRESS:9080 --cluster-addr ADDRESS:%s",
			token, d.options.advertiseCluster, port)
	}
	return fmt.Sprintf("in another terminal:\n    %s join %s --token-file %s --data-dir %s-2 --http-addr %s --cluster-addr %s",
		program(), d.options.advertiseCluster, token, strings.TrimRight(d.options.dataDir, "/"),
		nextAddress(d.options.advertiseHTTP), nextAddress(d.options.advertiseCluster))
}

// nextAddress is the same address with a port 100 higher, for another node on this machine.
func nextAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	n, err := strconv.Atoi(port)
	if err != nil || n+devPortStep > 65_535 {
		return net.JoinHostPort(host, "PORT")
	}
	return net.JoinHostPort(host, strconv.Itoa(n+devPortStep))
}

// program is how this program was called, so that a printed command can be pasted. A program started by "go run" has a
// path that will be gone.
func program() string {
	path, err := os.Executable()
	if err != nil || strings.HasPrefix(path, os.TempDir()) && strings.Contains(path, "go-build") {
		return "go run ./cmd/fastqueue"
	}
	return os.Args[0]
}

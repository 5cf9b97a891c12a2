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
	handOverLimit = 10 * time.Second // for what is in flight and the leadership, on SIGTERM
	drainAgain    = 200 * time.Millisecond
	closeLimit    = 5 * time.Second // for requests in progress after the drain time
)

// daemon is one running node: the cluster's member and the HTTP API on it.
type daemon struct {
	options nodeOptions
	log     hclog.Logger
	node    *cluster.Node
	server  *httpd.Server
	member  bool // the data directory belonged to a member when it was opened
}

// openDaemon opens the ports. The node is not a member yet; the API says so.
func openDaemon(o nodeOptions) (*daemon, error) {
	log, err := o.logger()
	if err != nil {
		return nil, err
	}
	d := &daemon{options: o, log: log}
	d.node = cluster.New(cluster.Config{
		DataDir: o.dataDir, NodeName: o.nodeName,
		ClusterAddr: o.clusterAddr, AdvertiseCluster: o.advertiseCluster, AdvertiseHTTP: o.advertiseHTTP,
		Peers: o.peers, LogStore: o.logStore, Version: version(), Logger: log,
		Exit:    func(code int, reason string) { d.end(code, reason) },
		Restart: d.restart,
	})
	if d.member, err = d.node.Open(); err != nil {
		return nil, withPortHint(err, "--cluster-addr")
	}
	if d.member && o.nodeNamed && d.node.Name() != o.nodeName {
		err := fmt.Errorf("--node-name %s: %s belongs to the node %s, whose name can't be changed; leave the flag out or choose another --data-dir", o.nodeName, o.dataDir, d.node.Name())
		return nil, errors.Join(err, d.node.Close())
	}
	server := httpd.New(httpd.Config{Addr: o.httpAddr, Logger: log.Named("http")}, d.node)
	if err := server.Open(); err != nil {
		return nil, errors.Join(withPortHint(err, "--http-addr"), d.node.Close())
	}
	d.server = server
	return d, nil
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
	err := become(ctx)
	if err == nil {
		d.log.Info("serving", "node", d.node.Name(), "id", d.node.ID(), "http", "http://"+d.options.advertiseHTTP+"/v1", "cluster", d.options.advertiseCluster)
		select {
		case err = <-d.server.Failed():
		case <-ctx.Done():
			d.drain()
		}
	} else if ctx.Err() != nil {
		err = nil // asked to stop before it was a member
	}
	closing, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if closeErr := d.close(closing); closeErr != nil {
		d.log.Warn("not everything was closed in order", "error", closeErr)
	}
	return err
}

// drain hands over while requests are still answered, for at least the drain time.
func (d *daemon) drain() {
	d.log.Info("stopping", "drain_time", d.options.drainTime)
	enough := time.After(d.options.drainTime)
	handOver, cancel := context.WithTimeout(context.Background(), handOverLimit)
	defer cancel()
	for {
		d.node.Drain(handOver)
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

package main

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"

	"github.com/fastqueue/fastqueue/cluster"
)

// nodeOptions are the flags that serve and join share.
type nodeOptions struct {
	nodeName         string
	nodeNamed        bool // the name was given, not made
	dataDir          string
	httpAddr         string
	clusterAddr      string
	advertiseHTTP    string
	advertiseCluster string
	peers            []string
	logStore         string
	logLevel         string
	logFormat        string
	drainTime        time.Duration
	registration     string
	diskReserve      string
	metricsOpen      bool
	cpuProfile       string
	tuning           tuning
}

func (o *nodeOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.nodeName, "node-name", "", "name of this node, unique in the cluster (default: host name and cluster port)")
	f.StringVar(&o.dataDir, "data-dir", defaultDataDir, "directory of everything that this node keeps")
	f.StringVar(&o.httpAddr, "http-addr", "127.0.0.1:9080", "address on which the HTTP API listens")
	f.StringVar(&o.clusterAddr, "cluster-addr", "127.0.0.1:9081", "address on which the cluster port listens")
	f.StringVar(&o.advertiseHTTP, "advertise-http", "", "address at which clients reach the API; a DNS name is resolved at every use (default: --http-addr)")
	f.StringVar(&o.advertiseCluster, "advertise-cluster", "", "address at which other nodes reach this one; a DNS name is resolved at every dial (default: --cluster-addr)")
	f.StringSliceVar(&o.peers, "peers", nil, "cluster addresses of all nodes, this one included: the same list on each of them")
	f.StringVar(&o.logStore, "log-store", "wal", "raft log store of a new data directory: wal or bolt")
	f.StringVar(&o.logLevel, "log-level", "info", "trace, debug, info, warn or error")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
	f.DurationVar(&o.drainTime, "drain-time", 5*time.Second, "after SIGTERM, how long requests are still answered")
	f.StringVar(&o.registration, "registration", registrationOpen, "who may make users: open (anybody who reaches a node) or closed (admins); one node with closed closes the cluster")
	f.StringVar(&o.diskReserve, "disk-reserve", "", "disk space to keep free, such as 10GiB or 5%; with less the node hands over and sends are refused (default: the larger of 5% and 1GiB)")
	f.BoolVar(&o.metricsOpen, "metrics-open", false, "answer /metrics without credentials also to other machines")
	f.StringVar(&o.cpuProfile, "cpu-profile", "", "write a profile of the processor's time to this file until the node stops, for \"go tool pprof\"")
	o.tuning.addFlags(f)
}

const defaultDataDir = "./fastqueue-data"

// The values of --registration.
const (
	registrationOpen   = "open"
	registrationClosed = "closed"
)

// nodeNamePattern keeps names usable in certificates, file names and metrics.
var nodeNamePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)

// complete fills in what follows from other options, and refuses what can't work.
func (o *nodeOptions) complete() error {
	if err := o.completeAddress(&o.advertiseHTTP, o.httpAddr, "--http-addr", "--advertise-http"); err != nil {
		return err
	}
	if err := o.completeAddress(&o.advertiseCluster, o.clusterAddr, "--cluster-addr", "--advertise-cluster"); err != nil {
		return err
	}
	o.nodeNamed = o.nodeName != ""
	if !o.nodeNamed {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("host name for --node-name: %w", err)
		}
		_, port, err := net.SplitHostPort(o.advertiseCluster)
		if err != nil {
			return fmt.Errorf("--advertise-cluster: %w", err)
		}
		o.nodeName = strings.Split(host, ".")[0] + "-" + port
	}
	if !nodeNamePattern.MatchString(o.nodeName) {
		return fmt.Errorf("--node-name %q: 1 to 63 letters, digits, '-', '_' and '.' are allowed, the first and last a letter or digit", o.nodeName)
	}
	if o.logStore != "bolt" && o.logStore != "wal" {
		return fmt.Errorf("--log-store %q: allowed are bolt and wal", o.logStore)
	}
	if err := checkAddresses("--peers", o.peers); err != nil {
		return err
	}
	if o.drainTime < 0 {
		return fmt.Errorf("--drain-time %s: it can't be negative", o.drainTime)
	}
	if o.registration != registrationOpen && o.registration != registrationClosed {
		return fmt.Errorf("--registration %q: allowed are open and closed", o.registration)
	}
	if _, err := cluster.ParseDiskReserve(o.diskReserve); err != nil {
		return fmt.Errorf("--disk-reserve: %w", err)
	}
	if err := o.tuning.check(); err != nil {
		return err
	}
	_, err := o.logger()
	return err
}

// completeAddress takes the listen address as the advertised one, unless it is a wildcard, which nobody can dial.
func (o *nodeOptions) completeAddress(advertise *string, listen, listenFlag, advertiseFlag string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("%s %q: host:port is needed, for example 127.0.0.1:9080", listenFlag, listen)
	}
	if *advertise == "" {
		if isWildcard(host) {
			return fmt.Errorf("%s %s listens on all addresses, so others can't be told where this node is: set %s to the address or name under which they reach it", listenFlag, listen, advertiseFlag)
		}
		*advertise = listen
	}
	host, port, err := net.SplitHostPort(*advertise)
	if err != nil || isWildcard(host) || port == "0" {
		return fmt.Errorf("%s %q: an address or name and a port under which others reach this node are needed, for example node1.example.com:9081", advertiseFlag, *advertise)
	}
	return nil
}

// checkAddresses refuses what can't be the cluster address of another node.
func checkAddresses(what string, addresses []string) error {
	for _, a := range addresses {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			return fmt.Errorf("%s %q: host:port of a node's cluster port is needed, for example 127.0.0.1:9081", what, a)
		}
	}
	return nil
}

func isWildcard(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

func (o *nodeOptions) logger() (hclog.Logger, error) {
	level := hclog.LevelFromString(o.logLevel)
	if level == hclog.NoLevel {
		return nil, fmt.Errorf("--log-level %q: allowed are trace, debug, info, warn and error", o.logLevel)
	}
	if o.logFormat != "text" && o.logFormat != "json" {
		return nil, fmt.Errorf("--log-format %q: allowed are text and json", o.logFormat)
	}
	return hclog.New(&hclog.LoggerOptions{Name: "fastqueue", Level: level, JSONFormat: o.logFormat == "json", Output: os.Stderr}), nil
}

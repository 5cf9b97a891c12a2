package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsConsumer is the one consumer that all clients share.
const natsConsumer = "workers"

// natsServerPackage is built in the version that go.mod names.
const natsServerPackage = "github.com/nats-io/nats-server/v2"

// natsCluster is three nats-server with JetStream on files. A queue is a stream of three replicas, whose messages go when they
// are acknowledged.
type natsCluster struct {
	ports      *ports
	program    string
	release    string
	syncAlways bool // sync before every confirmation; its default is every two minutes

	addresses []string
	monitors  []string
	running   []*process
	control   *nats.Conn
	queues    int // made since the start
}

func (n *natsCluster) version() string       { return n.release }
func (n *natsCluster) processes() []*process { return n.running }

func (n *natsCluster) stop() {
	if n.control != nil {
		n.control.Close()
	}
	killAll(n.running)
}

func (n *natsCluster) start(ctx context.Context, dir string) error {
	found, err := n.ports.free(3 * nodes)
	if err != nil {
		return err
	}
	n.addresses, n.monitors, n.running, n.control = nil, nil, nil, nil
	n.queues = 0
	var routes []string
	for i := range nodes {
		n.addresses = append(n.addresses, loopback(found[3*i]))
		n.monitors = append(n.monitors, loopback(found[3*i+1]))
		routes = append(routes, "nats://"+loopback(found[3*i+2]))
	}
	for i := range nodes {
		p, err := n.startNode(i, filepath.Join(dir, strconv.Itoa(i)), routes)
		if err != nil {
			return err
		}
		n.running = append(n.running, p)
	}
	return await(ctx, "NATS", n.running, n.ready)
}

func (n *natsCluster) startNode(i int, dir string, routes []string) (*process, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("directory of NATS: %w", err)
	}
	path := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(path, n.configuration(i, dir, routes), 0o644); err != nil {
		return nil, fmt.Errorf("configuration of NATS: %w", err)
	}
	return startProcess(dir, nil, n.program, "--config", path)
}

// configuration is all defaults but for the addresses and what syncAlways says.
func (n *natsCluster) configuration(i int, dir string, routes []string) []byte {
	sync := ""
	if n.syncAlways {
		sync = "sync_interval: always"
	}
	return fmt.Appendf(nil, `server_name: %s
listen: %s
http: %s
jetstream { store_dir: %q
%s }
cluster { name: compare
listen: %q
routes: [%s] }
`, natsName(i), n.addresses[i], n.monitors[i], filepath.Join(dir, "data"), sync, strings.TrimPrefix(routes[i], "nats://"), strings.Join(routes, ", "))
}

func natsName(node int) string { return "node" + strconv.Itoa(node) }

// ready succeeds when all three nodes are in the cluster, sync as they were told, and JetStream has a leader.
func (n *natsCluster) ready(ctx context.Context) error {
	leader := ""
	for _, address := range n.monitors {
		info, err := natsInfo(ctx, address)
		if err != nil {
			return err
		}
		if info.Config.SyncAlways != n.syncAlways {
			return fmt.Errorf("NATS syncs always: %t, but was told %t", info.Config.SyncAlways, n.syncAlways)
		}
		leader = info.Meta.Leader
		if leader == "" || info.Meta.Size != nodes {
			return errors.New("NATS: JetStream has no leader yet")
		}
	}
	if n.control != nil {
		return nil
	}
	var err error
	n.control, err = nats.Connect(n.addresses[0])
	return err
}

// natsServerInfo is what a node says of its JetStream on /jsz.
type natsServerInfo struct {
	Config struct {
		SyncAlways bool `json:"sync_always"`
	} `json:"config"`
	Meta struct {
		Leader string `json:"leader"`
		Size   int    `json:"cluster_size"`
	} `json:"meta_cluster"`
}

func natsInfo(ctx context.Context, monitor string) (info natsServerInfo, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+monitor+"/jsz?config=true", nil)
	if err != nil {
		return info, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return info, err
	}
	defer answer.Body.Close()
	return info, json.NewDecoder(answer.Body).Decode(&info)
}

func (n *natsCluster) newQueue(ctx context.Context) (leader int, err error) {
	js, err := jetstream.New(n.control)
	if err != nil {
		return 0, err
	}
	if n.queues > 0 {
		if err := js.DeleteStream(ctx, n.stream()); err != nil {
			return 0, fmt.Errorf("delete stream: %w", err)
		}
	}
	n.queues++ // a new name: the files of the old stream go after it is deleted
	led := ""
	err = await(ctx, "NATS stream", n.running, func(ctx context.Context) error {
		led, err = n.makeStream(ctx, js)
		return err
	})
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimPrefix(led, "node"))
}

// makeStream makes the stream and its consumer, unless they are there, and returns the node that leads the stream. It fails
// as long as they are not complete.
func (n *natsCluster) makeStream(ctx context.Context, js jetstream.JetStream) (leader string, err error) {
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: n.stream(), Subjects: []string{n.stream()}, Storage: jetstream.FileStorage,
		Replicas: nodes, Retention: jetstream.WorkQueuePolicy})
	if err != nil {
		return "", fmt.Errorf("create stream: %w", err)
	}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{Durable: natsConsumer, AckPolicy: jetstream.AckExplicitPolicy, Replicas: nodes})
	if err != nil {
		return "", fmt.Errorf("create consumer: %w", err)
	}
	s, err := stream.Info(ctx)
	if err != nil {
		return "", err
	}
	c, err := consumer.Info(ctx)
	if err != nil {
		return "", err
	}
	return s.Cluster.Leader, errors.Join(natsComplete(s.Cluster), natsComplete(c.Cluster))
}

// stream is the name of the present stream, and its only subject.
func (n *natsCluster) stream() string { return "JOBS" + strconv.Itoa(n.queues) }

// natsComplete fails unless a raft group has a leader and two followers that have all it has.
func natsComplete(c *jetstream.ClusterInfo) error {
	if c == nil || c.Leader == "" || len(c.Replicas) != nodes-1 {
		return fmt.Errorf("no three replicas with a leader: %+v", c)
	}
	for _, r := range c.Replicas {
		if !r.Current || r.Offline {
			return fmt.Errorf("replica %s is not current", r.Name)
		}
	}
	return nil
}

func (n *natsCluster) connect(ctx context.Context, node int) (connection, error) {
	// A connection that breaks is a failure to be counted, not to be mended.
	conn, err := nats.Connect(n.addresses[node], nats.NoReconnect())
	if err != nil {
		return nil, err
	}
	return newNATSConnection(conn, n.stream())
}

// buildNATS builds the server and returns its version.
func buildNATS(ctx context.Context, work string) (program, release string, err error) {
	program = filepath.Join(work, "nats-server")
	if err := build(ctx, ".", program, natsServerPackage); err != nil {
		return "", "", err
	}
	release, err = output(ctx, ".", "go", "list", "-m", "-f", "{{.Version}}", natsServerPackage)
	return program, release, err
}

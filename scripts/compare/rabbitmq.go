package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// rabbitMQ is three nodes of the installed server with a directory, an Erlang cookie and a port mapper (epmd) of their own,
// so that they do not meet a RabbitMQ that runs on this machine. Nothing is configured but addresses and log level.
type rabbitMQ struct {
	ports   *ports
	scripts string // directory of rabbitmq-server and rabbitmqctl
	release string

	env       []string // of the nodes and the command line
	addresses []string
	epmd      *process
	running   []*process
	control   *amqp.Connection
	queues    int // made since the start
}

func (r *rabbitMQ) version() string       { return r.release }
func (r *rabbitMQ) processes() []*process { return r.running }

func (r *rabbitMQ) stop() {
	if r.control != nil {
		_ = r.control.CloseDeadline(immediately()) // the nodes are about to be killed
	}
	killAll(append(r.running, r.epmd))
}

func (r *rabbitMQ) start(ctx context.Context, dir string) error {
	found, err := r.ports.free(2*nodes + 1)
	if err != nil {
		return err
	}
	r.addresses, r.running, r.epmd, r.control = nil, nil, nil, nil
	r.queues = 0
	epmdPort := strconv.Itoa(found[2*nodes])
	r.env = []string{"ERL_EPMD_PORT=" + epmdPort, "ERL_EPMD_ADDRESS=127.0.0.1", "HOME=" + dir, "RABBITMQ_CONF_ENV_FILE=" + filepath.Join(dir, "none"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(dir, "enabled_plugins"), "RABBITMQ_CONFIG_FILE=" + filepath.Join(dir, "rabbitmq.conf")}
	if err := r.writeFiles(dir); err != nil {
		return err
	}
	if r.epmd, err = startProcess(filepath.Join(dir, "epmd"), nil, "epmd", "-port", epmdPort, "-address", "127.0.0.1"); err != nil {
		return err
	}
	for i := range nodes {
		r.addresses = append(r.addresses, loopback(found[2*i]))
	}
	for i := range nodes {
		p, err := r.startNode(i, filepath.Join(dir, strconv.Itoa(i)), found[2*i], found[2*i+1])
		if err != nil {
			return err
		}
		r.running = append(r.running, p)
		// The first node founds the cluster, which the others find.
		if err := await(ctx, "RabbitMQ", r.running, func(context.Context) error { return r.reachable(i) }); err != nil {
			return err
		}
	}
	_, err = r.ctl(ctx, "await_online_nodes", strconv.Itoa(nodes))
	return err
}

// writeFiles writes what the nodes have in common.
func (r *rabbitMQ) writeFiles(dir string) error {
	configuration := "cluster_formation.peer_discovery_backend = classic_config\nlog.file.level = error\n"
	for i := range nodes {
		configuration += fmt.Sprintf("cluster_formation.classic_config.nodes.%d = %s\n", i+1, rabbitName(i))
	}
	return errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "rabbitmq.conf"), []byte(configuration), 0o644),
		os.WriteFile(filepath.Join(dir, "enabled_plugins"), []byte("[].\n"), 0o644),
		os.WriteFile(filepath.Join(dir, ".erlang.cookie"), []byte("COMPARE"), 0o400), // Erlang wants it closed to others
	)
}

func (r *rabbitMQ) startNode(i int, dir string, port, distributionPort int) (*process, error) {
	env := append(r.env, "RABBITMQ_NODENAME="+rabbitName(i), "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+strconv.Itoa(port),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(distributionPort), "RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "data"), "RABBITMQ_LOG_BASE="+filepath.Join(dir, "logs"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"RUNNING_UNDER_SYSTEMD=true") // the script then becomes the server, in place of waiting for it
	return startProcess(dir, env, filepath.Join(r.scripts, "rabbitmq-server"))
}

func rabbitName(node int) string { return "compare" + strconv.Itoa(node) + "@localhost" }

func (r *rabbitMQ) dial(node int) (*amqp.Connection, error) {
	return amqp.Dial("amqp://guest:guest@" + r.addresses[node])
}

func (r *rabbitMQ) reachable(node int) error {
	conn, err := r.dial(node)
	if err != nil {
		return err
	}
	if node == 0 {
		r.control = conn
		return nil
	}
	return conn.Close()
}

// ctl runs rabbitmqctl against the first node.
func (r *rabbitMQ) ctl(ctx context.Context, args ...string) (string, error) {
	c := command(ctx, "", filepath.Join(r.scripts, "rabbitmqctl"), append([]string{"--quiet", "--node", rabbitName(0)}, args...)...)
	c.Env = append(os.Environ(), r.env...)
	return printed(c)
}

func (r *rabbitMQ) newQueue(ctx context.Context) (leader int, err error) {
	ch, err := r.control.Channel()
	if err != nil {
		return 0, fmt.Errorf("RabbitMQ: channel: %w", err)
	}
	defer ch.Close()
	if r.queues > 0 {
		if _, err := ch.QueueDelete(r.queue(), false, false, false); err != nil {
			return 0, fmt.Errorf("RabbitMQ: delete queue: %w", err)
		}
	}
	r.queues++
	if _, err := ch.QueueDeclare(r.queue(), true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-quorum-initial-group-size": nodes}); err != nil {
		return 0, fmt.Errorf("RabbitMQ: declare queue: %w", err)
	}
	err = await(ctx, "RabbitMQ queue", r.running, func(ctx context.Context) error {
		text, err := r.ctl(ctx, "list_queues", "name", "leader", "members", "online", "--formatter", "json")
		if err != nil {
			return err
		}
		leader, err = rabbitLeader(text)
		return err
	})
	return leader, err
}

// queue is the name of the present queue.
func (r *rabbitMQ) queue() string { return "jobs" + strconv.Itoa(r.queues) }

// rabbitLeader returns the leader of the one queue in the output of list_queues, which has to be on all nodes.
func rabbitLeader(text string) (int, error) {
	var queues []struct {
		Leader  string   `json:"leader"`
		Members []string `json:"members"`
		Online  []string `json:"online"`
	}
	if err := json.Unmarshal([]byte(text), &queues); err != nil {
		return 0, fmt.Errorf("list of queues: %w: %s", err, text)
	}
	if len(queues) != 1 || len(queues[0].Members) != nodes || len(queues[0].Online) != nodes {
		return 0, fmt.Errorf("no queue with three members online: %s", text)
	}
	for i := range nodes {
		if queues[0].Leader == rabbitName(i) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no leader: %s", text)
}

func (r *rabbitMQ) connect(_ context.Context, node int) (connection, error) {
	conn, err := r.dial(node)
	if err != nil {
		return nil, err
	}
	return newRabbitConnection(conn, r.queue())
}

// findRabbitMQ returns where the installed server is and its version with Erlang's.
func findRabbitMQ() (scripts, release string, err error) {
	found, err := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin")
	if err != nil {
		return "", "", err
	}
	if _, err := exec.LookPath("epmd"); err != nil || len(found) == 0 {
		return "", "", errors.New("RabbitMQ is not installed; on Debian: apt-get install rabbitmq-server (its service is not needed), or leave it out with --systems")
	}
	scripts = found[len(found)-1]
	_, release, _ = strings.Cut(filepath.Base(filepath.Dir(scripts)), "-")
	erlang, err := filepath.Glob("/usr/lib/erlang/releases/*/OTP_VERSION")
	if err != nil || len(erlang) == 0 {
		return scripts, release, err
	}
	otp, err := os.ReadFile(erlang[len(erlang)-1])
	return scripts, release + " on Erlang " + strings.TrimSpace(string(otp)), err
}

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fastQueue is three nodes of the program that was built from this tree.
type fastQueue struct {
	ports    *ports
	program  string
	logStore string
	release  string
	profiled bool // nodes that are started write profiles

	dir      string
	env      []string
	http     []string // addresses
	cluster  []string
	running  []*process
	key      string // API key of the admin
	queue    string
	password string
}

func (f *fastQueue) version() string       { return f.release }
func (f *fastQueue) processes() []*process { return f.running }
func (f *fastQueue) stop()                 { killAll(f.running) }

func (f *fastQueue) start(ctx context.Context, dir string) error {
	found, err := f.ports.free(2 * nodes)
	if err != nil {
		return err
	}
	f.dir, f.http, f.cluster, f.queue = dir, nil, nil, ""
	for i := range nodes {
		f.http = append(f.http, loopback(found[2*i]))
		f.cluster = append(f.cluster, loopback(found[2*i+1]))
	}
	f.password = rand.Text()
	f.env = []string{"FASTQUEUE_ADMIN_PASSWORD=" + f.password, "FASTQUEUE_JOIN_TOKEN=" + rand.Text() + rand.Text()}
	if err := f.serve(ctx); err != nil {
		return err
	}
	return f.createKey(ctx)
}

// serve starts the nodes, new ones or those that are in the directories, and waits until all are ready.
func (f *fastQueue) serve(ctx context.Context) error {
	f.running = nil
	for i := range nodes {
		dir := filepath.Join(f.dir, strconv.Itoa(i))
		args := []string{"serve", "--node-name", "node" + strconv.Itoa(i), "--data-dir", filepath.Join(dir, "data"),
			"--http-addr", f.http[i], "--cluster-addr", f.cluster[i], "--peers", strings.Join(f.cluster, ","),
			"--log-store", f.logStore, "--log-level", "error", "--drain-time", "0s"}
		if f.profiled {
			args = append(args, "--cpu-profile", f.profileOf(i))
		}
		p, err := startProcess(dir, f.env, f.program, args...)
		if err != nil {
			return err
		}
		f.running = append(f.running, p)
	}
	return await(ctx, "FastQueue", f.running, func(ctx context.Context) error {
		for i := range nodes {
			if _, err := f.ask(ctx, i, http.MethodGet, "/readyz", nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// restart stops the nodes as an operator would and starts them with what they hold.
func (f *fastQueue) restart(ctx context.Context) error {
	if err := f.terminate(ctx); err != nil {
		return err
	}
	return f.serve(ctx)
}

func (f *fastQueue) terminate(ctx context.Context) (failed error) {
	for _, p := range f.running {
		failed = errors.Join(failed, p.terminate(ctx))
	}
	return failed
}

// profileOf is the file for the profile of a node.
func (f *fastQueue) profileOf(node int) string {
	return filepath.Join(f.dir, strconv.Itoa(node), "cpu-profile")
}

// createKey makes the credential of all connections: an API key, which does not expire in a long run.
func (f *fastQueue) createKey(ctx context.Context) error {
	f.key = ""
	answer, err := f.ask(ctx, 0, http.MethodPost, "/v1/auth/login", map[string]any{"username": "admin", "password": f.password})
	if err != nil {
		return err
	}
	var login struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &login); err != nil {
		return fmt.Errorf("log-in: %w", err)
	}
	f.key = login.Token
	if answer, err = f.ask(ctx, 0, http.MethodPost, "/v1/auth/api-keys", map[string]any{"name": "compare"}); err != nil {
		return err
	}
	var created struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(answer, &created); err != nil {
		return fmt.Errorf("API key: %w", err)
	}
	f.key = created.Key
	return nil
}

func (f *fastQueue) newQueue(ctx context.Context) (leader int, err error) {
	if f.queue != "" {
		if _, err := f.ask(ctx, 0, http.MethodDelete, "/v1/queues/"+f.queue, nil); err != nil {
			return 0, err
		}
	}
	f.queue = rand.Text()
	settings := map[string]any{"name": f.queue, "max_length": 100_000_000, "visibility_timeout": 30}
	if _, err := f.ask(ctx, 0, http.MethodPost, "/v1/queues", settings); err != nil {
		return 0, err
	}
	for i := range nodes {
		metrics, err := f.ask(ctx, i, http.MethodGet, "/metrics", nil)
		if err != nil {
			return 0, err
		}
		if bytes.Contains(metrics, []byte("\nfastqueue_raft_is_leader 1")) {
			return i, nil
		}
	}
	return 0, errors.New("FastQueue: no node leads")
}

func (f *fastQueue) connect(ctx context.Context, node int) (connection, error) {
	c, err := dialHTTP(ctx, f.http[node])
	if err != nil {
		return nil, err
	}
	return newFastQueueConnection(c, f.http[node], "/v1/queue/"+f.queue, f.key), nil
}

// ask makes one of the requests around the measurement, and returns the body of a 2xx answer.
func (f *fastQueue) ask(ctx context.Context, node int, method, path string, in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	if in == nil {
		body = nil
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+f.http[node]+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if f.key != "" {
		r.Header.Set("Authorization", "Bearer "+f.key)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: status %d: %.200s", method, path, answer.StatusCode, text)
	}
	return text, err
}

// buildFastQueue builds the program as it is shipped, and says of which commit it is.
func buildFastQueue(ctx context.Context, tree, work string) (program, release string, err error) {
	program = filepath.Join(work, "fastqueue")
	if err := build(ctx, tree, program, "./cmd/fastqueue"); err != nil {
		return "", "", err
	}
	commit, err := output(ctx, tree, "git", "describe", "--always", "--dirty")
	if err != nil {
		return "", "", err
	}
	return program, commit, nil
}

// build compiles one program without cgo.
func build(ctx context.Context, dir, program, from string) error {
	c := command(ctx, dir, "go", "build", "-o", program, from)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build of %s: %w\n%s", from, err, out)
	}
	return nil
}

package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

// Node is one node of a Cluster. Its fields hold for the next Start; the process of its present life is Process.
type Node struct {
	Name    string
	DataDir string
	HTTP    string   // HOST:PORT on which the API listens
	Peer    string   // HOST:PORT on which the cluster port listens
	Verb    []string // "serve", or "join" with its targets; the same at every start
	Flags   []string // further ones
	Env     []string // beside the environment of this process
	Prefix  []string // a command that is given the node's command line, such as one that enters a namespace
	LogPath string   // what all its lives print

	// Binary is the program; empty means the cluster's.
	Binary string
	// Launch starts the process; nil means exec.Cmd's own Start.
	Launch func(*exec.Cmd) error
	// Address is where clients reach the API, HOST:PORT; empty means HTTP. A proxy stands there.
	Address string

	c       *Cluster
	api     *client.Client // knows this node only
	halted  atomic.Bool
	process atomic.Pointer[Process]
	lives   atomic.Pointer[[]*Process] // the ended ones and the present one
}

// Start runs the node's command.
func (n *Node) Start() error {
	args := append(append([]string{}, n.Verb...), "--data-dir", n.DataDir, "--http-addr", n.HTTP, "--cluster-addr", n.Peer, "--node-name", n.Name)
	args = append(args, n.Flags...)
	binary := n.Binary
	if binary == "" {
		binary = n.c.Binary
	}
	line := append(append(append([]string{}, n.Prefix...), binary), args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(append(os.Environ(), Environment()...), n.Env...)
	return n.StartCommand(cmd)
}

// StartCommand runs a command of the caller's as the node's process.
func (n *Node) StartCommand(cmd *exec.Cmd) error {
	p, err := StartProcess(n.Name, cmd, n.LogPath, n.Launch)
	if err != nil {
		return err
	}
	var lives []*Process
	if before := n.lives.Load(); before != nil {
		lives = *before
	}
	lives = append(lives[:len(lives):len(lives)], p)
	n.lives.Store(&lives)
	n.process.Store(p)
	if n.c.Ended != nil {
		go func() {
			<-p.done
			n.c.Ended(p)
		}()
	}
	return nil
}

// Process is the node's present or last life; nil before the first one.
func (n *Node) Process() *Process { return n.process.Load() }

// Lives are all processes that this node has been.
func (n *Node) Lives() []*Process {
	if l := n.lives.Load(); l != nil {
		return *l
	}
	return nil
}

// Running says whether the node's process runs; also while it is stopped.
func (n *Node) Running() bool {
	p := n.Process()
	return p != nil && !p.Ended()
}

// Kill ends the node with SIGKILL and waits until it is gone. One that does not run is no error.
func (n *Node) Kill() error {
	if n.Process() == nil {
		return nil
	}
	return n.Process().Kill()
}

// Signal sends a signal to the node's process.
func (n *Node) Signal(s syscall.Signal) error { return n.Process().Signal(s) }

// Terminate asks the node to stop, as a supervisor does.
func (n *Node) Terminate() error { return n.Signal(syscall.SIGTERM) }

// Stop halts the node's process where it is; Continue lets it go on.
func (n *Node) Stop() error {
	n.halted.Store(true)
	return n.Signal(syscall.SIGSTOP)
}

// Continue ends a Stop.
func (n *Node) Continue() error {
	n.halted.Store(false)
	return n.Signal(syscall.SIGCONT)
}

// Halted says whether the node was stopped and has not been told to go on.
func (n *Node) Halted() bool { return n.halted.Load() }

// Wipe removes the data directory of a node that does not run.
func (n *Node) Wipe() error {
	if n.Running() {
		return errors.New("wipe of " + n.Name + ": it runs")
	}
	return os.RemoveAll(n.DataDir)
}

// API is a client that knows this node alone and asks as the admin.
func (n *Node) API() *client.Client { return n.api }

// URL is the base address of the node's API.
func (n *Node) URL() string {
	if n.Address != "" {
		return "http://" + n.Address
	}
	return "http://" + n.HTTP
}

// Get returns status and body of a GET without credentials, on a connection of its own.
func (n *Node) Get(path string) (int, string, error) {
	h := http.Client{Timeout: Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := h.Get(n.URL() + path)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return r.StatusCode, string(body), err
}

// WaitReady waits until the node says that it can serve.
func (n *Node) WaitReady(ctx context.Context) error {
	return Until(ctx, Patience, n.Name+" is ready", func() error {
		if !n.Running() {
			return Hopeless(errors.New("it ended instead: " + n.Process().Result()))
		}
		return n.readiness(http.StatusOK)
	})
}

// WaitUnready waits until the node says that it cannot serve.
func (n *Node) WaitUnready(ctx context.Context) error {
	return Until(ctx, Patience, n.Name+" is not ready", func() error { return n.readiness(http.StatusServiceUnavailable) })
}

func (n *Node) readiness(want int) error {
	status, body, err := n.Get("/readyz")
	if err == nil && status != want {
		err = fmt.Errorf("%d %s", status, body)
	}
	return err
}

// View is the cluster as this node sees it.
func (n *Node) View(ctx context.Context) (client.Cluster, error) {
	if !n.Running() {
		return client.Cluster{}, errors.New(n.Name + " is not running")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return n.api.Cluster(ctx)
}

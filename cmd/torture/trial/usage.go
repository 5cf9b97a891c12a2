package trial

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/history"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// What a node may use more of after a fault has ended than before the load began: caches and pools fill, and a runtime keeps
// what it once needed. A leak grows with every request.
const (
	moreGoroutines = 100
	moreFiles      = 200
	moreMemory     = 512 << 20 // bytes
)

// usage is what one node uses.
type usage struct {
	goroutines, files, memory float64 // files without the segments of the log, memory in bytes
	repeats, remembered       float64
	term                      float64
}

// measure reads the metrics of all running nodes, in their order.
func measure(c *nodes.Cluster) ([]usage, error) {
	var all []usage
	for _, n := range c.Nodes {
		u, err := measureNode(n)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

func measureNode(n *nodes.Node) (u usage, err error) {
	status, page, err := n.Get("/metrics")
	if err != nil || status != http.StatusOK {
		return u, fmt.Errorf("metrics of %s: %d %s, %w", n.Name, status, page, err)
	}
	wanted := map[string]*float64{
		"go_goroutines": &u.goroutines, "process_open_fds": &u.files, "process_resident_memory_bytes": &u.memory,
		"fastqueue_raft_term": &u.term, "fastqueue_repeated_commands_total": &u.repeats, "fastqueue_repeated_commands_remembered_total": &u.remembered,
	}
	found := 0
	for line := range strings.Lines(page) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if value := wanted[name]; value != nil {
			if *value, err = strconv.ParseFloat(text, 64); err != nil {
				return u, fmt.Errorf("metrics of %s: %w", n.Name, err)
			}
			found++
		}
	}
	if found != len(wanted) {
		return u, fmt.Errorf("metrics of %s: %d of %d were found", n.Name, found, len(wanted))
	}
	segments, err := filepath.Glob(filepath.Join(n.DataDir, "log", "*.wal"))
	u.files -= float64(len(segments)) // which are open as long as they belong to the log
	return u, err
}

// leaks says what a node uses more of than before, beyond what is no leak; empty if nothing.
func (u usage) leaks(before usage) string {
	if u.goroutines <= before.goroutines+moreGoroutines && u.files <= before.files+moreFiles && u.memory <= before.memory+moreMemory {
		return ""
	}
	return fmt.Sprintf("has %.0f goroutines, %.0f files and %.0f MiB, before %.0f, %.0f and %.0f MiB",
		u.goroutines, u.files, u.memory/(1<<20), before.goroutines, before.files, before.memory/(1<<20))
}

// checkLeaks waits until every node is back at what it used before the load (I10).
func (r *round) checkLeaks(ctx context.Context) {
	r.cluster.CloseClients()
	err := nodes.Until(ctx, 2*nodes.Patience, "the nodes use no more than before", func() error {
		after, err := measure(r.cluster)
		if err != nil {
			return err
		}
		for i, u := range after {
			if i >= len(r.before) {
				break
			}
			if more := u.leaks(r.before[i]); more != "" {
				return fmt.Errorf("%s %s", r.cluster.Nodes[i].Name, more)
			}
		}
		return nil
	})
	if err != nil {
		r.result.violation("I10 leak: %v", err)
	}
}

// look remembers what the nodes have counted so far, before each strike, which may take a counter away, and after it. It returns
// the highest term of raft that it saw.
func (r *round) look() (term float64) {
	for _, n := range r.cluster.Nodes {
		if !n.Running() {
			continue
		}
		if u, err := measureNode(n); err == nil {
			r.counted[n.Process()] = u
			term = max(term, u.term)
		} else {
			r.note("%v", err)
		}
	}
	return term
}

// beginCalm is called when no fault strikes any more.
func (r *round) beginCalm() { r.calm, r.term = time.Now(), r.look() }

// endCalm is called before a fault strikes. A machine that had no time for the nodes is a fault of its own: if there was an election
// without a cause, one has lost its leader in the middle of requests.
func (r *round) endCalm() {
	if term := r.look(); term > r.term {
		r.load.History().AddFault(history.Span{Start: r.calm, End: time.Now()})
		r.note("an election without a fault, in the %s before", time.Since(r.calm).Round(time.Millisecond))
	}
}

// repeats adds up what all processes were last seen to have counted.
func (r *round) repeats() (repeats, remembered int) {
	for _, u := range r.counted {
		repeats += int(u.repeats)
		remembered += int(u.remembered)
	}
	return repeats, remembered
}

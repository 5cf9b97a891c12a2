package trial

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/fault"
	"github.com/fastqueue/fastqueue/cmd/torture/load"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// Plan is what a round is to do.
type Plan struct {
	Binary   string
	Dir      string // of data and logs; it must not exist or be empty
	Seed     uint64
	LogStore string // "bolt" or "wal"
	Nodes    int
	Flags    []string // further ones, of every node
	// Faults strike so often together, in an order that follows from the seed; each strikes at least once if Strikes is not
	// less than their number. InOrder takes them as they stand, again and again.
	Faults  []fault.Fault
	Strikes int
	InOrder bool
	Short   bool // take the shortest times
	Load    load.Options
	// Sends and Deletes are how many must be acknowledged for the round to prove anything. It goes on until they are.
	Sends, Deletes int
	Log            io.Writer
}

// Enough is how many sends, and as many deletes, must have been acknowledged in a round.
const Enough = 10_000

// schedule is the order of the strikes.
func (p *Plan) schedule(random *rand.Rand) []fault.Fault {
	var order []fault.Fault
	for len(order) < p.Strikes && len(p.Faults) > 0 {
		next := append([]fault.Fault{}, p.Faults...)
		if !p.InOrder {
			random.Shuffle(len(next), func(i, j int) { next[i], next[j] = next[j], next[i] })
		}
		order = append(order, next...)
	}
	return order[:min(len(order), p.Strikes)]
}

// Result is what a round came to. It is a line of the record file.
type Result struct {
	Began      time.Time `json:"began"`
	Seed       uint64    `json:"seed"`
	LogStore   string    `json:"log_store"`
	Seconds    float64   `json:"seconds"` // from the start of the first node to the end of the checks
	Strikes    []Strike  `json:"strikes"`
	Sends      int       `json:"sends"`   // acknowledged
	Deletes    int       `json:"deletes"` // acknowledged
	Unknown    int       `json:"unknown_sends"`
	Repeats    int       `json:"repeats"`    // tries of commands of which an earlier try may have been applied
	Remembered int       `json:"remembered"` // commands that were answered as an earlier try was
	Violations []string  `json:"violations,omitempty"`
	Weak       []string  `json:"weak,omitempty"` // why it proves nothing
}

// Strike is one fault as it struck.
type Strike struct {
	Fault       string  `json:"fault"`
	Effective   bool    `json:"effective"`
	What        string  `json:"what"`
	UnderWay    int64   `json:"under_way"`
	Unavailable float64 `json:"unavailable"` // seconds until writes went on
}

// Err says what is wrong with the round; nil if every promise was kept and enough happened.
func (r *Result) Err() error {
	switch {
	case len(r.Violations) > 0:
		return fmt.Errorf("%d broken promises", len(r.Violations))
	case len(r.Weak) > 0:
		return fmt.Errorf("not enough evidence: %s", strings.Join(r.Weak, "; "))
	}
	return nil
}

func (r *Result) violation(format string, args ...any) {
	r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
}

func (r *Result) weak(format string, args ...any) {
	r.Weak = append(r.Weak, fmt.Sprintf(format, args...))
}

// Run carries out a plan. The error is that of the harness or of its context; what the cluster did wrong is in the Result.
func Run(ctx context.Context, p Plan) (*Result, error) {
	r := &round{Plan: p, counted: map[*nodes.Process]usage{}, result: &Result{Began: time.Now(), Seed: p.Seed, LogStore: p.LogStore}}
	err := r.run(ctx)
	r.result.Seconds = time.Since(r.result.Began).Seconds()
	return r.result, err
}

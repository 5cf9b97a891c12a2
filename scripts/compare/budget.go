package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// layer is a part of what FastQueue does for a send.
type layer struct {
	name     string
	goal     time.Duration // of all three nodes for one send, at 256 connections
	packages []string      // beginnings of their paths
}

// restLayer is what belongs to none: the garbage collector's and the scheduler's own goroutines.
const restLayer = "garbage collection, scheduling"

// layers are all of them; of two that fit a path, the one that stands first counts.
func layers() []layer {
	const ours = "github.com/fastqueue/fastqueue/"
	return []layer{
		{"HTTP", 50 * time.Microsecond, []string{ours + "httpd", "net/http", "github.com/gin-gonic/"}},
		{"forwarding", 10 * time.Microsecond, []string{ours + "cluster/transport", "google.golang.org/grpc"}},
		{"raft and log", 30 * time.Microsecond, []string{ours + "cluster", "github.com/hashicorp/", "go.etcd.io/bbolt"}},
		{"applying", 15 * time.Microsecond, []string{ours + "fsm", "github.com/cockroachdb/pebble"}},
	}
}

// layerOf is the layer of a sample: that of the innermost function which belongs to one.
func layerOf(s *profile.Sample) string {
	for _, location := range s.Location {
		for _, line := range location.Line {
			for _, l := range layers() {
				for _, p := range l.packages {
					if strings.HasPrefix(line.Function.Name, p) {
						return l.name
					}
				}
			}
		}
	}
	return restLayer
}

// budget is the processor's time for one message, by layer.
type budget map[string]time.Duration

// newBudget shares the time that a message costs out to the layers, as the samples of all nodes say.
func newBudget(perMessage time.Duration, nodes []*profile.Profile) budget {
	samples, all := map[string]int64{}, int64(0)
	for _, p := range nodes {
		for _, s := range p.Sample {
			n := s.Value[len(s.Value)-1]
			samples[layerOf(s)] += n
			all += n
		}
	}
	b := budget{}
	for name, n := range samples {
		b[name] = time.Duration(float64(perMessage) * float64(n) / float64(all))
	}
	return b
}

// measureBudget loads FastQueue once more with single sends of 256 connections, while its nodes write profiles.
func (r *results) measureBudget(ctx context.Context, o *options, work string, progress io.Writer) error {
	i := slices.IndexFunc(r.shapes, func(s shape) bool { return s.name == sends256 })
	for _, c := range r.contenders {
		f, ours := c.system.(*fastQueue)
		if !ours || i < 0 {
			continue
		}
		f.profiled = true
		err := running(ctx, c, filepath.Join(work, c.name+"-profiled"), func() error {
			sends, err := r.measureOnce(ctx, o, c, r.shapes[i], "profiled", progress)
			if err != nil {
				return err
			}
			if err := f.terminate(ctx); err != nil {
				return err
			}
			profiles, err := f.profiles()
			if err != nil {
				return err
			}
			r.budgets[c.name] = newBudget(sends.serverCPU/1e6, profiles)
			return nil
		})
		f.profiled = false
		if err != nil {
			return fmt.Errorf("%s, profiled: %w", c.title, err)
		}
	}
	return nil
}

// profiles reads what the nodes have written.
func (f *fastQueue) profiles() (all []*profile.Profile, err error) {
	for i := range nodes {
		file, err := os.Open(f.profileOf(i))
		if err != nil {
			return nil, err
		}
		p, err := profile.Parse(file)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("profile of node %d: %w", i, err)
		}
		all = append(all, p)
	}
	return all, nil
}

func budgetTable(r *results) *table {
	t := &table{text: 1}
	head := []string{"us of processor time for a send, all nodes", "goal"}
	var ours []contender
	for _, c := range r.contenders {
		if r.budgets[c.name] != nil {
			ours = append(ours, c)
			head = append(head, c.title)
		}
	}
	t.add(head...)
	if len(ours) == 0 {
		return t
	}
	row := func(name, goal string, value func(budget) time.Duration) {
		cells := []string{name, goal}
		for _, c := range ours {
			cells = append(cells, fmt.Sprint(value(r.budgets[c.name]).Microseconds()))
		}
		t.add(cells...)
	}
	for _, l := range layers() {
		row(l.name, fmt.Sprint(l.goal.Microseconds()), func(b budget) time.Duration { return b[l.name] })
	}
	row(restLayer, "", func(b budget) time.Duration { return b[restLayer] })
	row("together", "", func(b budget) (sum time.Duration) {
		for _, d := range b {
			sum += d
		}
		return sum
	})
	return t
}

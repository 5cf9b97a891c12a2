package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	rounds   int
	duration time.Duration
	systems  []string
	shapes   []string // empty: all
	waiting  []int
	write    bool
	dir      string
	tree     string
}

// warmUpShare of a figure's time is loaded before it, without counting.
const warmUpShare = 8

func (o *options) warmUp() time.Duration { return o.duration / warmUpShare }

// systemNames are the contenders, and the order in which they are shown.
func systemNames() []string {
	return []string{fastQueueWAL, fastQueueBolt, natsAlways, natsDefault, rabbitQuorum}
}

// parseOptions reads the command line.
func parseOptions(args []string) (*options, error) {
	var o options
	var systems, chosen, waiting string
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.IntVar(&o.rounds, "rounds", 5, "rounds, of which each starts every system once; 0 measures only --waiting")
	f.DurationVar(&o.duration, "duration", 8*time.Second, "time of each figure, and an eighth of it before that is not counted")
	f.StringVar(&systems, "systems", strings.Join(systemNames(), ","), "what to measure")
	f.StringVar(&chosen, "shapes", "", "loads, separated by commas; all if empty: "+strings.Join(shapeNames(), ","))
	f.StringVar(&waiting, "waiting", "", "after the rounds, loops with so many messages waiting, as in 1000000,10000000: once, all systems, tens of GB of disk")
	f.BoolVar(&o.write, "write", false, "write the result into docs/benchmarks.md and docs/benchmarks.svg")
	f.StringVar(&o.dir, "dir", os.TempDir(), "where the servers' files are while they run; on a real disk")
	f.StringVar(&o.tree, "tree", "../..", "root of FastQueue's source")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	o.systems, o.shapes = list(systems), list(chosen)
	for _, n := range list(waiting) {
		messages, err := strconv.Atoi(n)
		if err != nil || messages < 1 || len(o.waiting) > 0 && messages <= o.waiting[len(o.waiting)-1] {
			return nil, fmt.Errorf("--waiting %s: want numbers of messages, rising", waiting)
		}
		o.waiting = append(o.waiting, messages)
	}
	return &o, o.validate(f.Args())
}

func (o *options) validate(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unknown argument %q", rest[0])
	case o.rounds < 0 || o.rounds == 0 && len(o.waiting) == 0:
		return fmt.Errorf("--rounds %d: want 1 or more, or 0 with --waiting", o.rounds)
	case o.duration <= 0:
		return fmt.Errorf("--duration %s: want more than 0", o.duration)
	}
	for _, name := range o.systems {
		if !slices.Contains(systemNames(), name) {
			return fmt.Errorf("--systems %s: want some of %s", name, strings.Join(systemNames(), ","))
		}
	}
	for _, name := range o.shapes {
		if !slices.Contains(shapeNames(), name) {
			return fmt.Errorf("--shapes %s: want some of %s", name, strings.Join(shapeNames(), ","))
		}
	}
	return nil
}

// chosenShapes are those of --shapes in their order.
func (o *options) chosenShapes() []shape {
	return slices.DeleteFunc(shapes(), func(s shape) bool { return len(o.shapes) > 0 && !slices.Contains(o.shapes, s.name) })
}

func shapeNames() []string {
	var names []string
	for _, s := range shapes() {
		names = append(names, s.name)
	}
	return names
}

// list splits at commas; an empty string has no items.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/cmd/torture/trial"
)

func newReportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "report FILE...",
		Short: "Print what the files of --record say as a Markdown table",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, paths []string) error {
			results, err := readRecords(paths)
			if err != nil {
				return err
			}
			return writeReport(c.OutOrStdout(), results)
		},
	}
}

// readRecords reads files of JSON lines.
func readRecords(paths []string) (all []*trial.Result, err error) {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			r := &trial.Result{}
			if err := json.Unmarshal(lines.Bytes(), r); err != nil {
				return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
			}
			all = append(all, r)
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return all, nil
}

// row is what is known of one fault on one log store.
type row struct {
	fault, store                  string
	effective, rounds, violations int
	hours                         float64
	outages                       []float64 // seconds
	remembered                    int
}

// writeReport writes a row for each fault on each log store. A round in which several faults struck counts for each of them.
func writeReport(out io.Writer, results []*trial.Result) error {
	rows := map[[2]string]*row{}
	for _, r := range results {
		seen := map[string]bool{}
		for _, s := range r.Strikes {
			key := [2]string{s.Fault, r.LogStore}
			if rows[key] == nil {
				rows[key] = &row{fault: s.Fault, store: r.LogStore}
			}
			rows[key].add(r, s, !seen[s.Fault])
			seen[s.Fault] = true
		}
	}
	ordered := make([]*row, 0, len(rows))
	for _, x := range rows {
		ordered = append(ordered, x)
	}
	slices.SortFunc(ordered, func(a, b *row) int { return strings.Compare(a.fault+" "+a.store, b.fault+" "+b.store) })
	text := "| Fault | Log store | Took effect | Rounds | Hours | Violations | Until writes went on, p50 | max | Retries answered from remembered results |\n|---|---|---|---|---|---|---|---|---|\n"
	for _, x := range ordered {
		text += x.String()
	}
	_, err := io.WriteString(out, text+total(results))
	return err
}

// add counts a strike; first says that it is the first of its kind in its round.
func (x *row) add(r *trial.Result, s trial.Strike, first bool) {
	if s.Effective {
		x.effective++
		if s.Unavailable > 0 {
			x.outages = append(x.outages, s.Unavailable)
		}
	}
	if first {
		x.rounds++
		x.hours += r.Seconds / time.Hour.Seconds()
		x.violations += len(r.Violations)
		x.remembered += r.Remembered
	}
}

func (x *row) String() string {
	p50, longest := "", ""
	if n := len(x.outages); n > 0 {
		slices.Sort(x.outages)
		p50, longest = fmt.Sprintf("%.2f s", x.outages[n/2]), fmt.Sprintf("%.2f s", x.outages[n-1])
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %.2f | %d | %s | %s | %d |\n", x.fault, x.store, x.effective, x.rounds, x.hours, x.violations, p50, longest, x.remembered)
}

// total sums up all rounds, each once.
func total(results []*trial.Result) string {
	hours, violations, weak, sends, deletes, remembered, repeats, strikes := 0.0, 0, 0, 0, 0, 0, 0, 0
	for _, r := range results {
		hours += r.Seconds / time.Hour.Seconds()
		violations += len(r.Violations)
		for _, s := range r.Strikes {
			if s.Effective {
				strikes++
			}
		}
		sends, deletes = sends+r.Sends, deletes+r.Deletes
		remembered, repeats = remembered+r.Remembered, repeats+r.Repeats
		if len(r.Weak) > 0 {
			weak++
		}
	}
	return fmt.Sprintf("\n%d rounds in %.2f hours: %d faults, %d sends and %d deletes acknowledged, %d of %d repeated commands answered from remembered results, %d violations, %d rounds without enough evidence.\n",
		len(results), hours, strikes, sends, deletes, remembered, repeats, violations, weak)
}

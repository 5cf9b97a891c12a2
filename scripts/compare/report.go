package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// circumstances are what a reader has to know of a run beside its figures.
type circumstances struct {
	machine machine
	date    time.Time
	command string
	options *options
}

// report writes the results as Markdown.
func report(r *results, c circumstances) string {
	var b strings.Builder
	fmt.Fprintf(&b, "`%s`, %s, on %s.\n", c.command, c.date.UTC().Format("2 January 2006"), c.machine)
	for i, contender := range r.contenders {
		fmt.Fprintf(&b, "%s%s %s", map[bool]string{true: "", false: "; "}[i == 0], contender.title, contender.system.version())
	}
	fmt.Fprintf(&b, ".\nMedians; rounds: %d, each figure %s. Rates count messages, times are of whole operations.\n", c.options.rounds, c.options.duration)
	section(&b, "Goals", goalTable(r))
	section(&b, "Messages a second", rateTable(r))
	section(&b, "FastQueue / peer, messages a second", ratioTable(r, r.rateRatio))
	section(&b, "Peer / FastQueue, processor time of the servers for a message", ratioTable(r, r.costRatio))
	section(&b, "In full", fullTable(r))
	section(&b, "Where FastQueue's time goes, 256 connections", budgetTable(r))
	section(&b, "Loops with messages waiting, 128 clients, one round", waitingTable(r))
	return b.String()
}

// section writes a table below a heading, unless it has no rows.
func section(b *strings.Builder, heading string, t *table) {
	if text := t.String(); text != "" {
		fmt.Fprintf(b, "\n### %s\n\n%s", heading, text)
	}
}

func goalTable(r *results) *table {
	t := &table{text: 2}
	ours, _ := r.sides()
	head := []string{"", "goal"}
	for _, c := range ours {
		head = append(head, c.title)
	}
	t.add(head...)
	for _, g := range goals() {
		row, some := []string{g.text, g.want()}, false
		for _, c := range ours {
			value, measured := g.value(r, c.name)
			some = some || measured
			row = append(row, map[bool]string{true: g.judge(value), false: "not measured"}[measured])
		}
		if some {
			t.add(row...)
		}
	}
	return t
}

func rateTable(r *results) *table {
	t := &table{text: 1}
	head := []string{""}
	for _, c := range r.contenders {
		head = append(head, c.title)
	}
	t.add(head...)
	for _, s := range r.shapes {
		if s.burst || len(r.figures) == 0 {
			continue // its rate is that of the silences
		}
		row := []string{s.title}
		for _, c := range r.contenders {
			f, measured := r.figure(s.name, c.name)
			row = append(row, map[bool]string{true: thousands(f.rate), false: ""}[measured])
		}
		t.add(row...)
	}
	return t
}

// ratioTable has a ratio for each of ours and each peer: value is called with the names of a shape and of both.
func ratioTable(r *results, value func(shape, our, peer string) (float64, bool)) *table {
	t := &table{text: 1}
	ours, peers := r.sides()
	head := []string{""}
	for _, our := range ours {
		for _, peer := range peers {
			head = append(head, our.title+" / "+peer.title)
		}
	}
	t.add(head...)
	for _, s := range r.shapes {
		if s.oursOnly || len(head) == 1 || len(r.figures) == 0 {
			continue
		}
		row := []string{s.title}
		for _, our := range ours {
			for _, peer := range peers {
				ratio, measured := value(s.name, our.name, peer.name)
				row = append(row, map[bool]string{true: fmt.Sprintf("%.2f", ratio), false: ""}[measured])
			}
		}
		t.add(row...)
	}
	return t
}

func fullTable(r *results) *table {
	t := &table{text: 2}
	t.add("", "", "messages/s", "lowest-highest", "p50", "p99", "p99.9", "CPU s/million: servers", "client", "RssAnon MB", "VmHWM MB", "bytes written/message", "failed")
	for _, s := range r.shapes {
		for _, c := range r.contenders {
			rounds := r.figures[key{s.name, c.name}]
			if len(rounds) == 0 {
				continue
			}
			lowest, highest := spread(rounds)
			f := medianFigure(rounds)
			t.add(slices.Concat([]string{s.title, c.title, thousands(f.rate), thousands(lowest) + "-" + thousands(highest)}, columns(f))...)
		}
	}
	return t
}

// columns are the numbers of a figure behind its rate.
func columns(f figure) []string {
	return []string{milliseconds(f.p50), milliseconds(f.p99), milliseconds(f.p999), fmt.Sprintf("%.1f", f.serverCPU.Seconds()), fmt.Sprintf("%.1f", f.clientCPU.Seconds()),
		megabytes(f.anonymous), megabytes(f.resident), thousands(f.written), fmt.Sprint(f.failed)}
}

func waitingTable(r *results) *table {
	t := &table{text: 1}
	t.add("", "waiting", "rested s", "messages/s", "p50", "p99", "p99.9", "CPU s/million: servers", "client", "RssAnon MB", "VmHWM MB", "bytes written/message", "failed",
		"RssAnon MB while filled", "restart s")
	for _, c := range r.contenders {
		for _, w := range r.waiting[c.name] {
			filling, rested, restart := "", "", ""
			if w.waiting > 0 {
				filling, rested = megabytes(w.filling), "at once"
			}
			if w.rested > 0 {
				rested = fmt.Sprintf("%.0f", w.rested.Seconds())
			}
			if w.restart > 0 {
				restart = fmt.Sprintf("%.1f", w.restart.Seconds())
			}
			t.add(slices.Concat([]string{c.title, thousands(float64(w.waiting)), rested, thousands(w.rate)}, columns(w.figure), []string{filling, restart})...)
		}
	}
	return t
}

// sides are FastQueue's systems and the others.
func (r *results) sides() (ours, peers []contender) {
	for _, c := range r.contenders {
		if c.ours {
			ours = append(ours, c)
		} else {
			peers = append(peers, c)
		}
	}
	return ours, peers
}

// spread is the lowest and the highest rate of all rounds.
func spread(rounds []figure) (lowest, highest float64) {
	lowest = math.Inf(1)
	for _, f := range rounds {
		lowest, highest = min(lowest, f.rate), max(highest, f.rate)
	}
	return lowest, highest
}

// thousands writes a number without its fraction and with commas.
func thousands(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func megabytes(bytes int64) string { return thousands(float64(bytes) / 1e6) }

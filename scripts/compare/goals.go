package main

import "fmt"

// goal is a number that one of FastQueue's systems should reach.
type goal struct {
	text   string
	limit  float64
	atMost bool // at least otherwise
	value  func(r *results, ours string) (value float64, measured bool)
}

// goals of the comparison.
func goals() []goal {
	return []goal{
		rateGoal("sends, 256 connections", sends256, natsAlways, 1.3),
		rateGoal("sends, 256 connections", sends256, rabbitQuorum, 2.5),
		rateGoal("loops, 128 clients", loops128, natsAlways, 2),
		rateGoal("loops, 128 clients", loops128, rabbitQuorum, 1.3),
		rateGoal("loops in tens, 32 clients", tens32, natsAlways, 4),
		rateGoal("loops in tens, 32 clients", tens32, rabbitQuorum, 4),
		rateGoal("loops in tens, 32 clients", tens32, natsDefault, 2),
		rateGoal("sends in tens, 16 connections", batches16, natsDefault, 1),
		{text: "send p50, 1 connection / " + natsAlways, limit: 1, atMost: true, value: p50Ratio},
		{text: "sends spread over the nodes / to the leader alone", limit: 0.9, value: spreadRatio},
		{text: "burst of 1,000 after a silence, p99 / p50", limit: 3, atMost: true, value: burstRatio},
		{text: "loop with 10,000,000 waiting, time / with none", limit: 1.25, atMost: true, value: waitingCost(true)},
		{text: "the same, at once after they were sent", limit: 1.25, atMost: true, value: waitingCost(false)},
		{text: "RssAnon with 10,000,000 waiting, MB", limit: 512, atMost: true, value: waitingMemory},
		{text: "restart with 10,000,000 waiting, s", limit: 5, atMost: true, value: waitingRestart},
	}
}

// rateGoal wants FastQueue to be so many times as quick as a peer.
func rateGoal(what, shape, peer string, limit float64) goal {
	return goal{text: what + " / " + peer, limit: limit, value: func(r *results, ours string) (float64, bool) { return r.rateRatio(shape, ours, peer) }}
}

// rateRatio is how many times as quick one system is as another one.
func (r *results) rateRatio(shape, ours, peer string) (float64, bool) {
	a, ok := r.figure(shape, ours)
	b, measured := r.figure(shape, peer)
	return ratio(a.rate, b.rate, ok && measured)
}

// costRatio says how much more of the processors a peer's servers take. The rates of one machine also hold what its client
// takes, which differs.
func (r *results) costRatio(shape, ours, peer string) (float64, bool) {
	a, ok := r.figure(shape, ours)
	b, measured := r.figure(shape, peer)
	return ratio(b.serverCPU.Seconds(), a.serverCPU.Seconds(), ok && measured)
}

func p50Ratio(r *results, ours string) (float64, bool) {
	a, ok := r.figure(sendsOne, ours)
	b, measured := r.figure(sendsOne, natsAlways)
	return ratio(float64(a.p50), float64(b.p50), ok && measured)
}

func spreadRatio(r *results, ours string) (float64, bool) {
	spread, ok := r.figure(sends256, ours)
	leader, measured := r.figure(leader256, ours)
	return ratio(spread.rate, leader.rate, ok && measured)
}

func burstRatio(r *results, ours string) (float64, bool) {
	f, ok := r.figure(burst1000, ours)
	return ratio(float64(f.p99), float64(f.p50), ok)
}

func waitingCost(rested bool) func(*results, string) (float64, bool) {
	return func(r *results, ours string) (float64, bool) {
		empty, ok := r.behind(ours, 0, false)
		full, measured := r.behind(ours, tenMillion, rested)
		return ratio(empty.rate, full.rate, ok && measured)
	}
}

func waitingMemory(r *results, ours string) (float64, bool) {
	w, ok := r.behind(ours, tenMillion, true)
	return float64(max(w.filling, w.anonymous)) / 1e6, ok
}

func waitingRestart(r *results, ours string) (float64, bool) {
	w, ok := r.behind(ours, tenMillion, true)
	return w.restart.Seconds(), ok && w.restart > 0
}

// tenMillion messages wait in three of the goals.
const tenMillion = 10_000_000

// behind returns what a system did with so many messages waiting, when it had rested or at once, if it was measured.
func (r *results) behind(system string, waiting int, rested bool) (waitingFigure, bool) {
	for _, w := range r.waiting[system] {
		if w.waiting == waiting && rested == (w.rested > 0) {
			return w, true
		}
	}
	return waitingFigure{}, false
}

func ratio(a, b float64, measured bool) (float64, bool) {
	if !measured || b == 0 {
		return 0, false
	}
	return a / b, true
}

// judge writes a value and whether it is enough, and if not how much is missing.
func (g goal) judge(value float64) string {
	switch {
	case g.atMost && value <= g.limit, !g.atMost && value >= g.limit:
		return fmt.Sprintf("%.2f, met", value)
	case g.atMost:
		return fmt.Sprintf("%.2f, **not met**: %.0f %% too much", value, (value/g.limit-1)*100)
	default:
		return fmt.Sprintf("%.2f, **not met**: %.0f %% of it", value, value/g.limit*100)
	}
}

// want writes the limit.
func (g goal) want() string {
	if g.atMost {
		return fmt.Sprintf("at most %g", g.limit)
	}
	return fmt.Sprintf("at least %g", g.limit)
}

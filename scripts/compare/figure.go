package main

import (
	"cmp"
	"slices"
	"time"
)

// figure is what one system did under one shape, in one round or as the median of all.
type figure struct {
	rate           float64 // messages a second
	p50, p99, p999 time.Duration
	serverCPU      time.Duration // of all three nodes, for a million messages
	clientCPU      time.Duration // of this program, for a million messages
	anonymous      int64         // bytes, the peak of RssAnon of the largest node
	resident       int64         // bytes, the peak of RSS (VmHWM) of the largest node
	written        float64       // bytes that the disk wrote for all three nodes, for a message
	failed         int           // operations
	failure        string        // why the first one failed
}

// newFigure makes a figure of what the clients have seen and what it has cost. The bytes written are of all operations, also
// those of the warm-up.
func newFigure(s shape, clients []*client, cost spent, written int64) figure {
	f := figure{anonymous: cost.anonymous, resident: cost.resident}
	var times []time.Duration
	done := 0
	for _, c := range clients {
		times = append(times, c.times...)
		done += c.done
		f.failed += c.failed
		if c.failure != nil && f.failure == "" {
			f.failure = c.failure.Error()
		}
	}
	slices.Sort(times)
	f.p50, f.p99, f.p999 = percentile(times, 0.5), percentile(times, 0.99), percentile(times, 0.999)
	messages := float64(len(times) * s.messages)
	f.rate = messages / cost.elapsed.Seconds()
	if messages > 0 {
		f.serverCPU = time.Duration(float64(cost.server) / messages * 1e6)
		f.clientCPU = time.Duration(float64(cost.client) / messages * 1e6)
		f.written = float64(written) / float64(done*s.messages)
	}
	return f
}

// percentile returns the smallest of the sorted times that at least the share q of them does not exceed; 0 if there are none.
func percentile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	n := int(q * float64(len(sorted)))
	if float64(n) < q*float64(len(sorted)) {
		n++
	}
	return sorted[max(n, 1)-1]
}

// median of an even number is the mean of the two in the middle.
func median[T cmp.Ordered](values []T, mean func(a, b T) T) T {
	var zero T
	if len(values) == 0 {
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return mean(sorted[middle-1], sorted[middle])
}

// medianFigure is the median of each number by itself; failures are added up.
func medianFigure(rounds []figure) figure {
	m := figure{
		rate:      medianOf(rounds, func(f figure) float64 { return f.rate }),
		p50:       medianOf(rounds, func(f figure) time.Duration { return f.p50 }),
		p99:       medianOf(rounds, func(f figure) time.Duration { return f.p99 }),
		p999:      medianOf(rounds, func(f figure) time.Duration { return f.p999 }),
		serverCPU: medianOf(rounds, func(f figure) time.Duration { return f.serverCPU }),
		clientCPU: medianOf(rounds, func(f figure) time.Duration { return f.clientCPU }),
		anonymous: medianOf(rounds, func(f figure) int64 { return f.anonymous }),
		resident:  medianOf(rounds, func(f figure) int64 { return f.resident }),
		written:   medianOf(rounds, func(f figure) float64 { return f.written }),
	}
	for _, f := range rounds {
		m.failed += f.failed
		m.failure = cmp.Or(m.failure, f.failure)
	}
	return m
}

func medianOf[T float64 | int64 | time.Duration](rounds []figure, of func(figure) T) T {
	values := make([]T, len(rounds))
	for i, f := range rounds {
		values[i] = of(f)
	}
	return median(values, func(a, b T) T { return (a + b) / 2 })
}

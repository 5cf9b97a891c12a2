package main

import (
	"testing"
	"time"
)

func TestPercentileIsTheSmallestTimeThatCoversTheShare(t *testing.T) {
	var times []time.Duration
	for i := range 1000 {
		times = append(times, time.Duration(i+1))
	}
	for _, tc := range []struct {
		q    float64
		want time.Duration
	}{{0, 1}, {0.5, 500}, {0.99, 990}, {0.999, 999}, {1, 1000}} {
		if got := percentile(times, tc.q); got != tc.want {
			t.Errorf("percentile %g of 1 to 1000: %d, want %d", tc.q, got, tc.want)
		}
	}
	if got := percentile(times[:1], 0.5); got != 1 {
		t.Errorf("percentile of one time: %d", got)
	}
	if got := percentile(nil, 0.5); got != 0 {
		t.Errorf("percentile of nothing: %d", got)
	}
}

func TestMedianFigureTakesEachNumberByItselfAndAddsFailures(t *testing.T) {
	m := medianFigure([]figure{
		{rate: 300, p50: 1, failed: 1, failure: "first"}, {rate: 100, p50: 3, failed: 2, failure: "second"}, {rate: 200, p50: 2},
	})
	if m.rate != 200 || m.p50 != 2 || m.failed != 3 || m.failure != "first" {
		t.Errorf("median of three: %+v", m)
	}
	if m = medianFigure([]figure{{rate: 100}, {rate: 200}}); m.rate != 150 {
		t.Errorf("median of two: %g, want 150", m.rate)
	}
	if m = medianFigure(nil); m.rate != 0 {
		t.Errorf("median of none: %g", m.rate)
	}
}

func TestNewFigureCountsMessagesNotOperations(t *testing.T) {
	clients := []*client{{times: []time.Duration{3, 1}, done: 3}, {times: []time.Duration{2}, done: 3, failed: 1, failure: errTest}}
	f := newFigure(shape{messages: ten}, clients, spent{elapsed: 2 * time.Second, server: 30 * time.Microsecond}, 600)
	if f.rate != 15 || f.p50 != 2 || f.serverCPU != time.Second || f.written != 10 || f.failed != 1 || f.failure != errTest.Error() {
		t.Errorf("figure: %+v", f)
	}
}

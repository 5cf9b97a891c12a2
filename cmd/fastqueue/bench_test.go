package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

func testBench(t *testing.T, q *fakeQueue, mode string, connections int) (string, error) {
	t.Helper()
	url := newFakeQueue(t, q)
	o := &benchOptions{mode: mode, connections: connections, size: 300, duration: 100 * time.Millisecond}
	o.urls = []string{url, url}
	if err := o.validate(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := runBench(t.Context(), o, benchClient(t, o), &out, io.Discard)
	return out.String(), err
}

func benchClient(t *testing.T, o *benchOptions) *client.Client {
	t.Helper()
	c, err := o.openAs("admin", "password")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestBenchOfAnHonestQueueFindsNothing(t *testing.T) {
	for _, mode := range []string{modeSend, modeLoop, modeBatch} {
		t.Run(mode, func(t *testing.T) {
			out, err := testBench(t, &fakeQueue{}, mode, 4)
			if err != nil || !strings.Contains(out, "lost 0  duplicated 0  out of order 0") || !strings.Contains(out, "failed operations 0") {
				t.Errorf("%v\n%s", err, out)
			}
			if strings.Contains(out, "acknowledged 0 ") {
				t.Errorf("nothing happened:\n%s", out)
			}
		})
	}
}

func TestBenchFindsWhatAQueueDoesWrong(t *testing.T) {
	tests := []struct {
		name  string
		queue *fakeQueue
		want  string
	}{
		{"lost", &fakeQueue{lose: 3}, "lost 1  duplicated 0  out of order 0"},
		{"duplicated", &fakeQueue{duplicate: 3}, "lost 0  duplicated 1  out of order 0"},
		{"out of order", &fakeQueue{swap: 5}, "lost 0  duplicated 0  out of order 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, err := testBench(t, test.queue, modeSend, 1)
			if err == nil || !strings.Contains(out, test.want) {
				t.Errorf("want an error and %q; got %v\n%s", test.want, err, out)
			}
		})
	}
}

func TestBenchCountsRefusals(t *testing.T) {
	out, err := testBench(t, &fakeQueue{refuseEvery: 2}, modeSend, 2)
	if err != nil || strings.Contains(out, "failed operations 0") || !strings.Contains(out, "last failure: send: refused with status 503") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestBenchOpenLoopKeepsItsRate(t *testing.T) {
	q := &fakeQueue{}
	o := &benchOptions{mode: modeSend, connections: 4, size: 30, duration: 500 * time.Millisecond, rate: 100}
	o.urls = []string{newFakeQueue(t, q)}
	var out bytes.Buffer
	if err := runBench(t.Context(), o, benchClient(t, o), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if q.stored != 50 {
		t.Errorf("%d sends in half a second at 100/s, want 50", q.stored)
	}
}

func TestBenchFlagsAreChecked(t *testing.T) {
	t.Setenv("FASTQUEUE_ADMIN_PASSWORD", "password")
	for _, args := range [][]string{
		{"--mode", "dance"}, {"--connections", "0"}, {"--size", "1"}, {"--duration", "0s"}, {"--rate", "-1"}, {"--password-file", "/nowhere/at/all"}, {"stray"},
	} {
		if err := run(t.Context(), append([]string{"bench"}, args...)); err == nil {
			t.Errorf("bench %v was accepted", args)
		}
	}
	t.Setenv("FASTQUEUE_ADMIN_PASSWORD", "")
	if err := run(t.Context(), []string{"bench"}); err == nil || !strings.Contains(err.Error(), "--password-file") {
		t.Errorf("without a password: %v", err)
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for i := range 1000 {
		h.record(time.Duration(i+1) * time.Millisecond)
	}
	for _, test := range []struct {
		q    float64
		want time.Duration
	}{{0.5, 500 * time.Millisecond}, {0.9, 900 * time.Millisecond}, {0.99, 990 * time.Millisecond}, {1, time.Second}} {
		if got := h.quantile(test.q); got < test.want || float64(got) > float64(test.want)*(1+1.0/subBuckets)+1e6 {
			t.Errorf("quantile %g is %s, want %s or a little more", test.q, got, test.want)
		}
	}
	for _, v := range []uint64{0, 1, 63, 64, 65, 127, 128, 129, 1000, 1 << 30, 1<<63 - 1} {
		i := bucketOf(v)
		if end := bucketEnd(i); end < v || float64(end-v) > float64(v)/subBuckets {
			t.Errorf("%d is in bucket %d, which ends at %d", v, i, end)
		}
		if i > 0 && bucketEnd(i-1) >= v {
			t.Errorf("%d is in bucket %d, but the one before reaches it", v, i)
		}
	}
}

func TestLabels(t *testing.T) {
	for _, l := range []label{{0, 0}, {255, 1_000_000}} {
		body := string(appendLabel(nil, l)) + "xxx"
		if got, ok := parseLabel(body); !ok || got != l {
			t.Errorf("%q is read as %v, %t; want %v", body, got, ok, l)
		}
	}
	for _, body := range []string{"", "hello", strings.Repeat("x", 40), "00000000-00000000000g.x"} {
		if _, ok := parseLabel(body); ok {
			t.Errorf("%q passes as a label", body)
		}
	}
}

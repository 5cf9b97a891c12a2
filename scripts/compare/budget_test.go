package main

import (
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// sampled is a sample of a stack, its innermost function first.
func sampled(nanoseconds int64, functions ...string) *profile.Sample {
	s := &profile.Sample{Value: []int64{1, nanoseconds}}
	for _, f := range functions {
		s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: f}}}})
	}
	return s
}

func TestABudgetGoesToTheInnermostLayer(t *testing.T) {
	const ours = "github.com/fastqueue/fastqueue/"
	first := &profile.Profile{Sample: []*profile.Sample{
		sampled(30, "syscall.write", "net/http.(*conn).serve"),
		sampled(10, "crypto/tls.(*Conn).Write", "google.golang.org/grpc.(*Server).serve", "net/http.(*Server).Serve"),
		sampled(20, "runtime.mallocgc", ours+"fsm.(*state).apply", ours+"cluster.(*replica).Apply", "github.com/hashicorp/raft.(*Raft).runFSM"),
	}}
	second := &profile.Profile{Sample: []*profile.Sample{
		sampled(15, "os.(*File).Sync", "github.com/hashicorp/raft-wal.(*WAL).StoreLogs"),
		sampled(5, ours+"cluster/transport.(*link).send", "google.golang.org/grpc.x"),
		sampled(20, "runtime.gcBgMarkWorker"),
	}}
	got := newBudget(100*time.Microsecond, []*profile.Profile{first, second})
	want := budget{"HTTP": 30, "forwarding": 15, "applying": 20, "raft and log": 15, restLayer: 20}
	for name, microseconds := range want {
		if got[name] != microseconds*time.Microsecond {
			t.Errorf("%s: %s, want %d us", name, got[name], microseconds)
		}
	}
}

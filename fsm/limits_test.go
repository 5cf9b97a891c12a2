package fsm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// TestLimits has each thing that grows at its limit: one more is refused, naming the limit and the present number, and
// changes nothing; with one fewer it is there.
func TestLimits(t *testing.T) {
	s := newScenario(t)
	s.run("create-queue q\nsend q \"a\" \"b\"\nreceive q\ncreate-api-key k\n----\n")
	state := s.fsm.state
	admin := state.users["admin"]
	for _, test := range []struct {
		name  string
		limit int
		set   func(n int) // makes the state believe that there are n
		op    *fsmpb.Command
	}{
		{"queues", MaxQueues, func(n int) { pad(state.queues, n) },
			&fsmpb.Command{Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{Name: "one-more"}}}},
		{"users", MaxUsers, func(n int) { pad(state.users, n) },
			&fsmpb.Command{Op: &fsmpb.Command_RegisterUser{RegisterUser: &fsmpb.RegisterUser{Name: "one-more"}}}},
		{"API keys", MaxAPIKeysPerUser, func(n int) { admin.ApiKeys = uint32(n) },
			&fsmpb.Command{Op: &fsmpb.Command_CreateApiKey{CreateApiKey: &fsmpb.CreateAPIKey{Name: "one-more", Hash: hashOf("one-more")}}}},
		{"join tokens", MaxJoinKeys, func(n int) {
			state.cluster.JoinKeys = nil
			for i := range n {
				state.cluster.JoinKeys = append(state.cluster.JoinKeys, &fsmpb.JoinKey{Id: fmt.Sprint(i), Key: []byte("key")})
			}
		}, &fsmpb.Command{Op: &fsmpb.Command_PutJoinKey{PutJoinKey: &fsmpb.PutJoinKey{JoinKey: &fsmpb.JoinKey{Id: "one-more", Key: []byte("key")}}}}},
		{"received messages", MaxLeasesPerQueue, func(n int) { state.queues["q"].rec.Leased = uint64(n) },
			&fsmpb.Command{Op: &fsmpb.Command_ReceiveMessage{ReceiveMessage: &fsmpb.ReceiveMessage{Queue: "q", Max: 10, Delete: s.receipts[:1]}}}},
	} {
		test.op.Principal = s.admin
		test.set(test.limit)
		before, clock := contents(s.fsm), fmt.Sprintf("%q", store.ClockKey())
		e := s.apply(test.op).GetError()
		if e.GetCode() != CodeLimitReached || !strings.Contains(e.GetDetail(), fmt.Sprintf("has %d %s", test.limit, test.name)) ||
			!strings.Contains(e.GetDetail(), fmt.Sprintf("and %d are allowed; ", test.limit)) {
			t.Errorf("%s: at the limit the answer is %v", test.name, e)
		}
		if got, want := without(contents(s.fsm), clock), without(before, clock); got != want {
			t.Errorf("%s: a refused command changed\n%s", test.name, firstDifference(got, want))
		}
		test.set(test.limit - 1)
		r := s.apply(test.op)
		if r.Error != nil {
			t.Errorf("%s: below the limit the answer is %v", test.name, r.Error)
		}
		if n := len(r.GetReceive().GetDeliveries()); test.limit == MaxLeasesPerQueue && n != 1 {
			t.Errorf("%s: with room for one message %d were received", test.name, n)
		}
	}
}

// pad adds empty entries to a map until it has n, or takes out what it added.
func pad[V any](m map[string]V, n int) {
	var none V
	for i := 0; len(m) < n; i++ {
		m[fmt.Sprint("\x00", i)] = none
	}
	for i := 0; len(m) > n; i++ {
		delete(m, fmt.Sprint("\x00", i))
	}
}

// without leaves out the line of one key.
func without(contents, key string) string {
	var kept []string
	for line := range strings.SplitSeq(contents, "\n") {
		if !strings.HasPrefix(line, key+" ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

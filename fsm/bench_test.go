package fsm

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// benchQueue is a state machine on the real disk with messages waiting in one queue.
type benchQueue struct {
	fsm   *FSM
	index uint64
	now   int64
}

func openBench(b *testing.B, waiting int) *benchQueue {
	f, err := Open(b.TempDir(), Options{FS: vfs.Default, Fatal: func(err error) { b.Fatal(err) }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := f.Close(); err != nil {
			b.Error(err)
		}
	})
	q := &benchQueue{fsm: f, now: time.Hour.Milliseconds()}
	q.apply(&fsmpb.Command{Op: &fsmpb.Command_InitCluster{InitCluster: &fsmpb.InitCluster{
		Cluster: &fsmpb.Cluster{}, SigningKey: &fsmpb.SigningKey{}, AdminName: "admin", Member: &fsmpb.Member{Id: "n"},
	}}})
	q.apply(&fsmpb.Command{Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{
		Name: "q", Settings: &fsmpb.QueueSettings{MaxLength: MaxQueueLength, VisibilityTimeoutS: 30},
	}}})
	for sent := 0; sent < waiting; sent += 1_000 {
		q.apply(sendMany(min(1_000, waiting-sent)))
	}
	return q
}

func sendMany(n int) *fsmpb.Command {
	messages := make([]*fsmpb.NewMessage, n)
	for i := range messages {
		messages[i] = &fsmpb.NewMessage{Content: make([]byte, 256)}
	}
	return &fsmpb.Command{Op: &fsmpb.Command_SendMessage{SendMessage: &fsmpb.SendMessage{Queue: "q", Messages: messages}}}
}

// apply applies commands of the admin as one entry.
func (q *benchQueue) apply(commands ...*fsmpb.Command) []*fsmpb.Result {
	return q.applyAs([]*fsmpb.Principal{{User: 1, Version: 1}}, commands...)
}

// applyAs applies commands of these senders, in turn, as one entry.
func (q *benchQueue) applyAs(senders []*fsmpb.Principal, commands ...*fsmpb.Command) []*fsmpb.Result {
	q.index++
	q.now++
	e := &fsmpb.Entry{NowMs: q.now}
	for i, c := range commands {
		c.Principal = senders[i%len(senders)]
		e.Commands = append(e.Commands, encode(c))
	}
	return q.fsm.Apply(&raft.Log{Index: q.index, Term: 1, Type: raft.LogCommand, Data: encode(e)}).([]*fsmpb.Result)
}

const cyclesPerEntry = 64

// cycles sends, receives and deletes cyclesPerEntry messages, in three entries as a busy leader makes them.
func (q *benchQueue) cycles() {
	sends, receives, deletes := make([]*fsmpb.Command, cyclesPerEntry), make([]*fsmpb.Command, cyclesPerEntry), make([]*fsmpb.Command, cyclesPerEntry)
	for i := range sends {
		sends[i] = sendMany(1)
		receives[i] = &fsmpb.Command{Op: &fsmpb.Command_ReceiveMessage{ReceiveMessage: &fsmpb.ReceiveMessage{Queue: "q", Max: 1}}}
	}
	q.apply(sends...)
	for i, r := range q.apply(receives...) {
		d := r.GetReceive().Deliveries[0]
		deletes[i] = &fsmpb.Command{Op: &fsmpb.Command_DeleteMessage{DeleteMessage: &fsmpb.DeleteMessage{
			Queue: "q", Receipts: []*fsmpb.Receipt{{Queue: r.GetReceive().Queue, Sequence: d.Sequence, Delivery: d.Delivery}},
		}}}
	}
	q.apply(deletes...)
}

// BenchmarkCycle measures one send, receive and delete inside the state machine, with an empty queue and with waiting
// messages alternating in one process, and prints the ratio and the longest single entry.
func BenchmarkCycle(b *testing.B) {
	for _, waiting := range []int{100_000, 10_000_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			queues := []*benchQueue{openBench(b, 0), openBench(b, waiting)}
			var took [2]time.Duration
			var samples [2][]time.Duration
			b.ResetTimer()
			for range b.N {
				for i, q := range queues {
					start := time.Now()
					q.cycles()
					samples[i] = append(samples[i], time.Since(start))
					took[i] += samples[i][len(samples[i])-1]
				}
			}
			for i, name := range []string{"empty", "full"} {
				slices.Sort(samples[i])
				b.ReportMetric(float64(took[i].Nanoseconds())/float64(b.N*cyclesPerEntry), name+"-ns/cycle")
				b.ReportMetric(float64(samples[i][len(samples[i])-1].Microseconds())/3, name+"-max-us/entry")
			}
			b.ReportMetric(float64(took[1])/float64(took[0]), "full/empty")
		})
	}
}

// BenchmarkBacklog measures sends that nobody receives, as many to an entry as a busy leader takes: the time of one.
func BenchmarkBacklog(b *testing.B) {
	q := openBench(b, 0)
	sends := make([]*fsmpb.Command, cyclesPerEntry)
	for i := range sends {
		sends[i] = sendMany(1)
	}
	b.ReportAllocs()
	for b.Loop() {
		q.apply(sends...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*cyclesPerEntry), "ns/send")
}

// BenchmarkPrincipal compares sends, 64 to an entry, whose sender came with an access token and with an API key, the two
// alternating in one process. Each entry uses one key, or as many keys as it has commands, out of 1,000.
func BenchmarkPrincipal(b *testing.B) {
	q := openBench(b, 0)
	var keys []*fsmpb.Principal
	for user := range uint64(10) {
		owner := q.apply(&fsmpb.Command{Op: &fsmpb.Command_RegisterUser{RegisterUser: &fsmpb.RegisterUser{Name: fmt.Sprint(user)}}})[0].GetUser()
		for range 100 {
			hash := hashOf(fmt.Sprint("key", len(keys)))
			q.applyAs([]*fsmpb.Principal{{User: owner.Id, Version: owner.Version}}, &fsmpb.Command{
				Op: &fsmpb.Command_CreateApiKey{CreateApiKey: &fsmpb.CreateAPIKey{Name: "k", Hash: hash}},
			})
			keys = append(keys, &fsmpb.Principal{ApiKey: hash})
		}
	}
	sends := make([]*fsmpb.Command, cyclesPerEntry)
	for i := range sends {
		sends[i] = sendMany(1)
	}
	var samples [3][]time.Duration
	b.ResetTimer()
	for n := range b.N {
		for i, sender := range [][]*fsmpb.Principal{{{User: 1, Version: 1, Family: 7}}, keys[:1], keys[n*cyclesPerEntry%900:][:cyclesPerEntry]} {
			start := time.Now()
			q.applyAs(sender, sends...)
			samples[i] = append(samples[i], time.Since(start))
		}
	}
	for i, name := range []string{"token", "one-key", "many-keys"} {
		slices.Sort(samples[i])
		b.ReportMetric(float64(samples[i][len(samples[i])/2].Nanoseconds())/cyclesPerEntry, name+"-ns/send")
	}
}

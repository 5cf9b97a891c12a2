//go:build system

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

// TestSystemTenThousandLongPolls lets 10,000 clients wait at one node that does not lead. Each may cost 40 KB there, and when
// 1,000 messages come, exactly 1,000 of them get one each.
func TestSystemTenThousandLongPolls(t *testing.T) {
	const polls, messages = 10_000, 1_000
	c := startCluster(t, 3)
	c.createQueue("jobs", time.Hour)
	leader := c.waitLeader()
	node := c.others(leader)[0]
	before, leaderBefore := node.memory(), leader.memory()

	waiting := startPolls(t, node, c.Token(), polls)
	eventually(t, "all polls wait", func() error {
		if n := waiting.asked.Load(); n < polls {
			return fmt.Errorf("%d asked", n)
		}
		return nil
	})
	// Two waits of 20 s: every poll is answered empty and asks again at least once in this time.
	cpu, leaderCPU := node.processorTime(), leader.processorTime()
	const idle = 25 * time.Second
	pause(t.Context(), idle)
	cpu, leaderCPU = node.processorTime()-cpu, leader.processorTime()-leaderCPU
	perPoll, perPollLeader := (node.memory()-before)/polls, (leader.memory()-leaderBefore)/polls
	t.Logf("%d idle polls: %d bytes each on the node that has them, %d on the leader; processor %.1f %% and %.1f %% of a core",
		polls, perPoll, perPollLeader, 100*cpu.Seconds()/idle.Seconds(), 100*leaderCPU.Seconds()/idle.Seconds())
	if perPoll > 40_000 || perPollLeader > 40_000 {
		t.Errorf("an idle poll costs %d bytes on its node and %d on the leader, more than 40,000", perPoll, perPollLeader)
	}
	// Being answered and asking again, 500 times a second, is part of it. A machine that does other things, too, needs longer
	// for each; what must not be is work that grows with the time that nobody asks.
	if share := cpu.Seconds() / idle.Seconds(); share > 0.25 {
		t.Errorf("10,000 idle polls take %.0f %% of a core", 100*share)
	}
	if n := waiting.early.Load(); n > 0 {
		t.Errorf("%d polls were answered empty before their time", n)
	}
	if n := waiting.failed.Load(); n > 0 {
		t.Errorf("%d polls failed, the last with: %v", n, *waiting.failure.Load())
	}

	sender := c.client(0)
	for range messages / client.MaxBatch {
		batch := make([]client.Message, client.MaxBatch)
		for i := range batch {
			batch[i].Body = "x"
		}
		if _, err := sender.SendBatch(t.Context(), "jobs", batch); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "every message has woken a poll", func() error {
		if n := waiting.received.Load(); n < messages {
			return fmt.Errorf("%d received", n)
		}
		return nil
	})
	waiting.stop()
	if n := waiting.early.Load(); n > 0 {
		t.Errorf("%d polls were woken for nothing", n)
	}
	if polls, got := waiting.woken.Load(), waiting.received.Load(); polls != messages || got != messages {
		t.Errorf("%d messages woke %d polls, which received %d", messages, polls, got)
	}
}

// polls are clients that wait for messages, each on its own connection, again and again.
type polls struct {
	asked, woken, received, failed atomic.Int64
	early                          atomic.Int64 // answers without a message before the wait was over
	failure                        atomic.Pointer[error]
	end                            context.CancelFunc
	ended                          sync.WaitGroup
}

func startPolls(t *testing.T, node *testNode, token string, n int) *polls {
	t.Helper()
	p := &polls{}
	ctx, cancel := context.WithCancel(t.Context())
	p.end = cancel
	t.Cleanup(p.stop)
	for range n {
		conn, err := newRawConn([]string{node.URL()}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.dial(ctx); err != nil {
			t.Fatal(err)
		}
		p.ended.Go(func() { p.poll(ctx, conn, token) })
	}
	return p
}

func (p *polls) stop() {
	p.end()
	p.ended.Wait()
}

// poll asks until ctx ends or it has got something: a poll that got a message is not idle any more.
func (p *polls) poll(ctx context.Context, conn *rawConn, token string) {
	defer conn.close()
	defer context.AfterFunc(ctx, func() { conn.conn.Close() })()
	request := []byte(`{"Action":"ReceiveMessage","WaitTimeSeconds":20}`)
	for first := true; ctx.Err() == nil; first = false {
		asked := time.Now()
		if _, err := conn.conn.Write(conn.request("/v1/queue/jobs", token, request)); err != nil {
			p.fail(ctx, err)
			return
		}
		if first {
			p.asked.Add(1)
		}
		status, _, err := conn.readAnswer()
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d: %s", status, conn.body)
		}
		if err != nil {
			p.fail(ctx, err)
			return
		}
		if got := int64(bytes.Count(conn.body, []byte(`"ReceiptHandle"`))); got > 0 {
			p.woken.Add(1)
			p.received.Add(got)
			return
		}
		if time.Since(asked) < 19*time.Second {
			p.early.Add(1)
		}
	}
}

func (p *polls) fail(ctx context.Context, err error) {
	if ctx.Err() == nil {
		p.failed.Add(1)
		p.failure.Store(&err)
	}
}

// memory is the anonymous resident memory of the process in bytes.
func (n *testNode) memory() int64 {
	n.c.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Process().PID()))
	if err != nil {
		n.c.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if kilobytes, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			k, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kilobytes), " kB"), 10, 64)
			if err != nil {
				n.c.t.Fatal(err)
			}
			return k << 10
		}
	}
	n.c.t.Fatal("no RssAnon in /proc")
	return 0
}

// processorTime is what the process has used so far, in user and kernel mode.
func (n *testNode) processorTime() time.Duration {
	n.c.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.Process().PID()))
	if err != nil {
		n.c.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), ") ") // the name before it may contain spaces
	fields := strings.Fields(after)
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime, in hundredths of a second: proc_pid_stat(5)
		v, err := strconv.Atoi(field)
		if err != nil {
			n.c.t.Fatal(err)
		}
		ticks += v
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

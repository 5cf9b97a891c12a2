//go:build linux && system

package damage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

const (
	queue    = "q"
	messages = 300
)

// seeds is how many damages are tried for each log store; FASTQUEUE_TEST_SEEDS=FIRST,COUNT tries others.
func seeds(t *testing.T) (first, count uint64) {
	t.Helper()
	text := os.Getenv("FASTQUEUE_TEST_SEEDS")
	if text == "" {
		return 0, 9
	}
	a, b, _ := strings.Cut(text, ",")
	first, err1 := strconv.ParseUint(a, 10, 64)
	count, err2 := strconv.ParseUint(b, 10, 64)
	if err1 != nil || err2 != nil {
		t.Fatalf("FASTQUEUE_TEST_SEEDS=%s: want FIRST,COUNT", text)
	}
	return first, count
}

// A node alone, killed and damaged, either serves what is right or ends with words on what to do. What is right is every
// message, or, where the log was damaged, the first ones without a gap: a tail that is cut off there looks like a write that
// a crash has cut short, and the other members of a larger cluster would have it.
func TestSystemADamagedNodeIsRightOrRefuses(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "fastqueue")
	if err := nodes.Build(ctx, binary); err != nil {
		t.Fatal(err)
	}
	first, count := seeds(t)
	for _, store := range []string{"bolt", "wal"} {
		sound := filepath.Join(t.TempDir(), "sound")
		writeSound(ctx, t, binary, store, sound)
		for seed := first; seed < first+count; seed++ {
			t.Run(fmt.Sprintf("%s/seed=%d", store, seed), func(t *testing.T) { damageOne(ctx, t, binary, store, sound, seed) })
		}
	}
}

func start(ctx context.Context, t *testing.T, binary, store, dataDir string) *nodes.Cluster {
	t.Helper()
	c, err := nodes.New(binary, t.TempDir(), 1, "--log-store", store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	c.Nodes[0].DataDir = dataDir
	if err := c.ConnectTo(c.Nodes[0]); err != nil {
		t.Fatal(err)
	}
	if err := c.Nodes[0].Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// writeSound makes a data directory with messages in state and log, as a kill leaves it.
func writeSound(ctx context.Context, t *testing.T, binary, store, dir string) {
	t.Helper()
	c := start(ctx, t, binary, store, dir)
	n := c.Nodes[0]
	send := func(from, to int) {
		for i := from; i < to; i++ {
			if _, err := n.API().Send(ctx, queue, client.Message{Body: body(i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := n.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateQueue(ctx, queue, time.Hour); err != nil {
		t.Fatal(err)
	}
	send(0, messages/2)
	if err := n.Terminate(); err != nil { // an orderly end writes the state
		t.Fatal(err)
	}
	if _, err := n.Process().Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	if err := n.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	send(messages/2, messages)
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
}

func body(i int) string { return fmt.Sprintf("<%d>%s", i, strings.Repeat("x", 200)) }

func damageOne(ctx context.Context, t *testing.T, binary, store, sound string, seed uint64) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(sound)); err != nil {
		t.Fatal(err)
	}
	area := Areas()[seed%uint64(len(Areas()))]
	done, err := Random(dir, area, rand.New(rand.NewPCG(seed, 0)))
	if err != nil {
		t.Fatal(err)
	}
	n := start(ctx, t, binary, store, dir).Nodes[0]
	var got []string
	if err := n.WaitReady(ctx); err == nil {
		got, err = drain(ctx, n)
		if err == nil {
			judge(t, done, area, got)
			return
		}
		t.Logf("it serves, and then: %v", err)
	}
	code, err := n.Process().Wait(ctx)
	if err != nil {
		t.Fatalf("%s: it does not serve: %v", done, err)
	}
	says := n.Process().Output()
	t.Logf("%s: it ends with code %d: %s", done, code, says[max(0, len(says)-700):])
	if code <= 0 || !strings.Contains(says, "join") || strings.Contains(says, "goroutine ") {
		t.Errorf("%s: it neither serves nor says what to do", done)
	}
}

// drain receives everything.
func drain(ctx context.Context, n *nodes.Node) (bodies []string, err error) {
	for {
		got, err := n.API().Receive(ctx, queue, client.ReceiveOptions{Max: 10})
		if err != nil || len(got) == 0 {
			return bodies, err
		}
		for _, d := range got {
			bodies = append(bodies, d.Body)
		}
	}
}

func judge(t *testing.T, done Done, area Area, got []string) {
	t.Helper()
	for i, b := range got {
		if b != body(i) {
			t.Fatalf("%s: message %d is %.20q", done, i, b)
		}
	}
	t.Logf("%s: it serves %d messages", done, len(got))
	if len(got) < messages && area != Log {
		t.Errorf("%s: it serves %d messages of %d", done, len(got), messages)
	}
}

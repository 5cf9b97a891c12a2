package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func TestTheSecondSignalWaitsOnlyForWhoAsks(t *testing.T) {
	tests := []struct {
		name    string
		awaited bool
		third   bool
		want    time.Duration // from the second signal to the end
	}{
		{"nobody asks", false, false, 0},
		{"a verb asks", true, false, hurryLimit},
		{"a third signal", true, true, 0},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals, ended := make(chan os.Signal, 3), make(chan int, 1)
				ctx := untilStopped(signals, func(code int) { ended <- code })
				if tc.awaited {
					hurried(ctx)
				}
				signals <- os.Interrupt
				<-ctx.Done()
				synctest.Wait()
				if len(ended) > 0 {
					t.Fatal("the first signal ended the process")
				}
				start := time.Now()
				signals <- os.Interrupt
				if tc.third {
					signals <- os.Interrupt
				}
				if code := <-ended; code != exitFailed || time.Since(start) != tc.want {
					t.Errorf("ended with %d after %s, want %d after %s", code, time.Since(start), exitFailed, tc.want)
				}
			})
		})
	}
	if hurried(context.Background()) != nil {
		t.Error("a context without signals has a channel for the second one")
	}
}

// stubbornJob ignores SIGTERM, as does the process that it starts; it leaves both of their numbers in a file.
func stubbornJob(path string) string {
	return `trap "" TERM; sleep 1000 & echo $$ $! >` + path + `.new; mv ` + path + `.new ` + path + `; wait`
}

// stubborn returns the processes of a stubborn job once they run.
func stubborn(t *testing.T, path string) (pids []int) {
	t.Helper()
	eventually(t, "the job runs", func() error {
		b, err := os.ReadFile(path)
		pids = nil
		for _, word := range strings.Fields(string(b)) {
			pid, convErr := strconv.Atoi(word)
			pids, err = append(pids, pid), errors.Join(err, convErr)
		}
		return err
	})
	return pids
}

// waitGone waits until processes have ended. One that nobody has fetched yet counts as ended.
func waitGone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		eventually(t, "process "+strconv.Itoa(pid)+" has ended", func() error {
			b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
			if err != nil || strings.Contains(string(b), ") Z ") {
				return nil
			}
			return errors.New("still there")
		})
	}
}

// A job is ended with everything that it started, in a hurry also when it was asked to end before.
func TestAJobIsEndedWithEverythingThatItStarted(t *testing.T) {
	for _, asked := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "pids")
		hurry := make(chan struct{})
		ctx, end := context.WithCancelCause(t.Context())
		result := make(chan error, 1)
		o := &receiveOptions{command: stubbornJob(path)}
		c := &cobra.Command{}
		c.SetOut(&bytes.Buffer{})
		go func() { result <- o.run(ctx, c, "jobs", &client.Delivery{}, hurry) }()
		pids := stubborn(t, path)
		if asked {
			end(client.ErrDrained)
		}
		close(hurry)
		err := <-result
		if cause := (hurriedError{}); asked && !errors.Is(err, client.ErrDrained) || !asked && !errors.Is(err, cause) {
			t.Errorf("asked before: %t: error %v", asked, err)
		}
		waitGone(t, pids)
		end(nil)
	}
}

// A command that ends by SIGTERM does not leave behind what it started and did not wait for.
func TestTheDrainLimitEndsTheWholeGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pids")
	ctx, end := context.WithCancelCause(t.Context())
	result := make(chan error, 1)
	o := &receiveOptions{command: `sh -c 'trap "" TERM; echo $PPID $$ >` + path + `.new; mv ` + path + `.new ` + path + `; while :; do sleep 0.05; done' & wait`}
	c := &cobra.Command{}
	c.SetOut(&bytes.Buffer{})
	hurry := make(chan struct{})
	go func() { result <- o.run(ctx, c, "jobs", &client.Delivery{}, hurry) }()
	pids := stubborn(t, path)
	end(client.ErrDrained)
	waitGone(t, pids[:1])
	if len(result) > 0 {
		t.Error("run returned while a process of the job was running")
	}
	close(hurry) // instead of ten seconds
	if err := <-result; !errors.Is(err, client.ErrDrained) {
		t.Errorf("error %v, want ErrDrained", err)
	}
	waitGone(t, pids[1:])
}

// Two signals to a worker: the first one is answered at once, the second one ends the jobs, whose messages come back.
func TestAWorkerInAHurryEndsItsJobs(t *testing.T) {
	c := startCluster(t, 1)
	n := c.nodes[0]
	c.createQueue("jobs", patience)
	if _, err := n.API().Send(t.Context(), "jobs", client.Message{Body: "go"}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "pids")
	env := []string{"XDG_CONFIG_HOME=" + dir, "FASTQUEUE_TOKEN=" + c.Token()}
	worker := startProcess(t, "worker", c.Binary, env, []string{"receive", "jobs", "--follow", "--exec", stubbornJob(path), "--url", n.URL()})
	pids := stubborn(t, path)
	worker.signal(syscall.SIGINT)
	worker.says("stopping: waiting up to 30 s for 1 job; press Ctrl-C again to end them now")
	worker.signal(syscall.SIGINT)
	if code := worker.wait(); code != exitFailed {
		t.Errorf("the worker ended with %d, want %d", code, exitFailed)
	}
	waitGone(t, pids)
	eventually(t, "the message is ready again", func() error {
		q, err := n.API().Queue(t.Context(), "jobs")
		if err == nil && q.Ready+q.Delayed != 1 {
			err = errors.New("it is not")
		}
		return err
	})
}

// A receive that is interrupted while it waits has nothing to say.
func TestAnInterruptedWaitEndsQuietly(t *testing.T) {
	withoutCredentials(t)
	t.Setenv(tokenVariable, "t")
	ctx, interrupt := context.WithCancel(t.Context())
	node := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client goes
		<-r.Context().Done()
	}))
	defer node.Close()
	if err := run(ctx, []string{"receive", "jobs", "--wait", "20s", "--url", node.URL}); !isQuiet(err) || exitCode(err) != exitFailed {
		t.Errorf("error %v with code %d; want a quiet one with %d", err, exitCode(err), exitFailed)
	}
	if err := run(ctx, []string{"receive", "jobs", "--follow", "--url", node.URL}); err != nil {
		t.Errorf("--follow: %v, want none", err)
	}
}

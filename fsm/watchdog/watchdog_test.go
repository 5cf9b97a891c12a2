package watchdog

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestACallThatDoesNotComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, hung := time.Now(), make(chan time.Time, 2)
		Watch(5*time.Second, func() { hung <- time.Now() })
		if took := (<-hung).Sub(began); took != 5*time.Second {
			t.Errorf("noticed after %s", took)
		}
		stop := Watch(5*time.Second, func() { hung <- time.Now() })
		<-time.After(4999 * time.Millisecond)
		stop()
		<-time.After(time.Minute)
		if len(hung) != 0 {
			t.Error("a call that came back counts as hanging")
		}
	})
}

// childVariable makes this test binary the process that is halted.
const childVariable = "WATCHDOG_CHILD"

// TestAHaltedProcessHasNotWaited halts a process with SIGSTOP for several times the limit.
func TestAHaltedProcessHasNotWaited(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		watchInChild()
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAHaltedProcessHasNotWaited$")
	child.Env = append(os.Environ(), childVariable+"=1")
	input, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	if !lines.Scan() || lines.Text() != "watching" {
		t.Fatalf("the child says %q", lines.Text())
	}
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	<-time.After(2 * childLimit)
	if _, err := input.Write([]byte("back\n")); err != nil { // the call comes back as soon as the process goes on
		t.Fatal(err)
	}
	if err := child.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "back" {
		t.Errorf("the child says %q, want that the call came back", lines.Text())
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

const childLimit = 3 * time.Second

// watchInChild watches a call that comes back when there is something to read.
func watchInChild() {
	hung, back := make(chan bool), make(chan bool)
	stop := Watch(childLimit, func() { hung <- true })
	os.Stdout.WriteString("watching\n")
	go func() {
		bufio.NewScanner(os.Stdin).Scan()
		back <- true
	}()
	select {
	case <-hung:
		os.Stdout.WriteString("hung\n")
	case <-back:
		stop()
		os.Stdout.WriteString("back\n")
	}
	os.Exit(0)
}

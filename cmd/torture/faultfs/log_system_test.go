//go:build linux && system

package faultfs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/logstore"
)

// childLog names the log that the test binary appends to, instead of running tests, if it is set.
const childLog = "FAULTFS_TEST_LOG"

func TestMain(m *testing.M) {
	if log := os.Getenv(childLog); log != "" {
		if err := appendForEver(log); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func openLog(log string) (logstore.Store, error) {
	return logstore.Open(log, logstore.Kind(filepath.Base(log)), logstore.Options{
		SegmentBytes: 64 << 10,
		Fatal:        func(err error) { fmt.Fprintln(os.Stderr, err); os.Exit(75) },
	})
}

// appendForEver opens the log, checks what is there, and prints the last index; then it appends, keeps a term as raft does,
// cuts off a tail and a head now and then, and prints what is promised: the index that was appended, or that was cut to.
func appendForEver(log string) error {
	s, err := openLog(log)
	if err != nil {
		return err
	}
	first, err := s.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.LastIndex()
	if err != nil {
		return err
	}
	for i := first; i != 0 && i <= last; i++ {
		var l raft.Log
		if err := s.GetLog(i, &l); err != nil {
			return err
		}
		if l.Index != i || !bytes.Equal(l.Data, dataOf(i)) {
			return fmt.Errorf("entry %d has index %d and %d bytes", i, l.Index, len(l.Data))
		}
	}
	term, err := s.GetUint64([]byte("CurrentTerm"))
	if err != nil && err.Error() != "not found" {
		return err
	}
	fmt.Println(last, term)
	rng := rand.New(rand.NewPCG(last, term))
	for {
		switch n := uint64(rng.IntN(8)); {
		case rng.IntN(40) == 0 && last > first+20:
			if err := s.DeleteRange(last-n, last); err != nil {
				return err
			}
			last -= n + 1
		case rng.IntN(40) == 0 && last > first+200:
			if err := s.DeleteRange(first, first+100); err != nil {
				return err
			}
			first += 101
		case rng.IntN(20) == 0:
			term++
			if err := s.SetUint64([]byte("CurrentTerm"), term); err != nil {
				return err
			}
		default:
			var logs []*raft.Log
			for range n + 1 {
				last++
				logs = append(logs, &raft.Log{Index: last, Term: 1, Data: dataOf(last)})
			}
			if err := s.StoreLogs(logs); err != nil {
				return err
			}
			first = max(first, 1)
		}
		fmt.Println(last, term)
	}
}

func dataOf(index uint64) []byte {
	return bytes.Repeat(binary.BigEndian.AppendUint64(nil, index), int(index%97))
}

// child runs until it meets the fault; the power goes in that call. It returns the first and the last line that came whole.
func child(t *testing.T, d *Disk, log string, fault *Injected) (first, last string) {
	t.Helper()
	var complaint strings.Builder
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), childLog+"="+log)
	c.Stderr = &complaint
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := bufio.NewReader(out)
		for line, err := r.ReadString('\n'); err == nil; line, err = r.ReadString('\n') {
			if last = line; first == "" {
				first = line
			}
		}
	}()
	select {
	case <-fault.Met():
	case <-done: // it ended by itself
	case <-time.After(time.Minute):
		t.Error("the child did nothing for a minute")
	}
	d.PowerOff()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-done
	if err := c.Wait(); fault.Hits() == 0 {
		t.Fatalf("the child ended by itself: %v\n%s", err, complaint.String())
	}
	return first, last
}

func parse(t *testing.T, line string) (index, term uint64) {
	t.Helper()
	a, b, _ := strings.Cut(strings.TrimSpace(line), " ")
	index, err := strconv.ParseUint(a, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	term, err = strconv.ParseUint(b, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return index, term
}

// Both logs, bolt and segments, lose power again and again in the middle of appends. What a call had returned for is there.
func TestSystemLogsSurvivePowerLoss(t *testing.T) {
	for _, kind := range []logstore.Kind{logstore.Bolt, logstore.WAL} {
		for _, loss := range []Loss{{}, {KeepNames: true}, {Tear: true}, {Tear: true, KeepNames: true}} {
			t.Run(fmt.Sprintf("%s/tear=%v,names=%v", kind, loss.Tear, loss.KeepNames), func(t *testing.T) {
				d := openDisk(t, Options{})
				log := filepath.Join(d.Path(), string(kind))
				rng := rand.New(rand.NewPCG(8, 0))
				var promised, term uint64
				var lost int64
				for round := range uint64(16) {
					fault := Fault{Op: Sync, Stall: true, After: 4 + rng.Int64N(100)}
					if round%4 == 3 {
						fault = Fault{Op: Write, Stall: true, After: 4096 + rng.Int64N(1<<20)}
					}
					first, last := child(t, d, log, d.Inject(fault))
					if first == "" {
						continue // not even open yet: nothing was promised
					}
					if index, vote := parse(t, first); index+8 < promised || vote < term {
						t.Fatalf("round %d: the log ends at %d in term %d, and %d in term %d was promised", round, index, vote, promised, term)
					}
					promised, term = parse(t, last)
					loss.Seed = round
					l, err := d.Crash(loss)
					if err != nil {
						t.Fatal(err)
					}
					lost += l.Bytes + l.Names
				}
				if lost == 0 {
					t.Error("nothing was lost in any crash")
				}
			})
		}
	}
}

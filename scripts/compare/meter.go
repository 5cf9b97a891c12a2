package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// tick is the unit of times in /proc/PID/stat.
const tick = 10 * time.Millisecond

// sampleInterval is how often the meter looks at the memory.
const sampleInterval = 100 * time.Millisecond

// meter reads from /proc what the servers of one system use. Each node is a process with its children.
type meter struct {
	nodes [][]int // ids of each node's processes, as of the meter's start
}

// newMeter finds the processes and forgets their peak of memory (VmHWM).
func newMeter(processes []*process) (*meter, error) {
	children, err := childProcesses()
	if err != nil {
		return nil, err
	}
	m := &meter{}
	for _, p := range processes {
		family := []int{p.pid()}
		for i := 0; i < len(family); i++ {
			family = append(family, children[family[i]]...)
		}
		m.nodes = append(m.nodes, family)
		for _, pid := range family {
			if err := os.WriteFile(proc(pid, "clear_refs"), []byte("5"), 0); err != nil {
				return nil, fmt.Errorf("meter: %w", err)
			}
		}
	}
	return m, nil
}

// used is the processor time of all processes of the system.
func (m *meter) used() (cpu time.Duration, err error) {
	for _, family := range m.nodes {
		for _, pid := range family {
			stat, err := os.ReadFile(proc(pid, "stat"))
			if err != nil {
				return 0, fmt.Errorf("meter: %w", err)
			}
			_, used, err := parseStat(stat)
			if err != nil {
				return 0, err
			}
			cpu += used
		}
	}
	return cpu, nil
}

// spent is what a load has cost while it was observed.
type spent struct {
	elapsed             time.Duration
	server, client      time.Duration // processor time of the nodes and of this program
	anonymous, resident int64         // bytes, peaks of the largest node: RssAnon, and VmHWM since the meter was made
}

// observe measures what happens during a call.
func (m *meter) observe(during func()) (s spent, err error) {
	server, err := m.used()
	if err != nil {
		return s, err
	}
	client, err := ownCPU()
	if err != nil {
		return s, err
	}
	began, done := time.Now(), make(chan struct{})
	var watching sync.WaitGroup
	var peakErr error
	watching.Go(func() { s.anonymous, peakErr = m.peakMemory(done) })
	during()
	s.elapsed = time.Since(began)
	close(done)
	watching.Wait()
	serverAfter, err := m.used()
	if err != nil {
		return s, err
	}
	clientAfter, err := ownCPU()
	if err != nil {
		return s, err
	}
	s.server, s.client = serverAfter-server, clientAfter-client
	s.resident, err = m.largest("VmHWM:")
	return s, errors.Join(peakErr, err)
}

// peakMemory looks at the memory until done is closed, and returns the most bytes of RssAnon that a node had.
func (m *meter) peakMemory(done <-chan struct{}) (peak int64, err error) {
	t := time.NewTicker(sampleInterval)
	defer t.Stop()
	for {
		now, err := m.largest("RssAnon:")
		if err != nil {
			return 0, err
		}
		peak = max(peak, now)
		select {
		case <-t.C:
		case <-done:
			return peak, nil
		}
	}
}

// largest returns what a field of /proc/PID/status says, in bytes, for the node with the most.
func (m *meter) largest(name string) (most int64, err error) {
	for _, family := range m.nodes {
		var sum int64
		for _, pid := range family {
			kilobytes, err := field(pid, "status", name)
			if err != nil {
				return 0, err
			}
			sum += kilobytes << 10
		}
		most = max(most, sum)
	}
	return most, nil
}

func proc(pid int, file string) string { return filepath.Join("/proc", strconv.Itoa(pid), file) }

// field returns the number behind a name in one of the files of a process.
func field(pid int, file, name string) (int64, error) {
	text, err := os.ReadFile(proc(pid, file))
	if err != nil {
		return 0, fmt.Errorf("meter: %w", err)
	}
	return parseField(text, name)
}

func parseField(text []byte, name string) (int64, error) {
	for line := range bytes.Lines(text) {
		if words := bytes.Fields(line); len(words) >= 2 && string(words[0]) == name {
			return strconv.ParseInt(string(words[1]), 10, 64)
		}
	}
	return 0, fmt.Errorf("meter: no %s", name)
}

// parseStat returns a process's parent and the time that it has used, from /proc/PID/stat. The name, the second field, may
// hold spaces and parentheses.
func parseStat(stat []byte) (parent int, cpu time.Duration, err error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("meter: stat: %.100q", stat)
	}
	var numbers [3]int
	for i, at := range [...]int{1, 11, 12} { // ppid, utime, stime
		if numbers[i], err = strconv.Atoi(string(fields[at])); err != nil {
			return 0, 0, fmt.Errorf("meter: stat: %w", err)
		}
	}
	return numbers[0], time.Duration(numbers[1]+numbers[2]) * tick, nil
}

// childProcesses returns the children of every process of this machine.
func childProcesses() (map[int][]int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		parent, _, err := parseStat(stat)
		if err != nil {
			return nil, err
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		children[parent] = append(children[parent], pid)
	}
	return children, nil
}

// ownCPU is the time that this program has used.
func ownCPU() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, fmt.Errorf("own processor time: %w", err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// machine is what the figures depend on beside the programs.
type machine struct {
	processor  string
	processors int
	memory     int64 // bytes
	disk       string
	kernel     string
}

// thisMachine describes the machine and the disk of a directory, which has to be one.
func thisMachine(dir string) (machine, error) {
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return machine{}, err
	}
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return machine{}, err
	}
	kilobytes, err := parseField(meminfo, "MemTotal:")
	if err != nil {
		return machine{}, err
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return machine{}, err
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return machine{}, err
	}
	device, fileSystem := mountOf(mounts, dir)
	if fileSystem == "tmpfs" {
		return machine{}, errors.New("the working directory is in memory (tmpfs), where a sync costs nothing: name another one with --dir")
	}
	return machine{
		processor: processorName(cpu), processors: runtime.NumCPU(), memory: kilobytes << 10,
		disk: fileSystem + " on " + device, kernel: strings.TrimSpace(string(kernel)),
	}, nil
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d processors, %.0f GiB, %s, Linux %s", m.processor, m.processors, float64(m.memory)/(1<<30), m.disk, m.kernel)
}

// processorName returns the model of the first processor in /proc/cpuinfo.
func processorName(cpuinfo []byte) string {
	for line := range bytes.Lines(cpuinfo) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && string(bytes.TrimSpace(name)) == "model name" {
			return string(bytes.TrimSpace(value))
		}
	}
	return runtime.GOARCH
}

// mountOf finds the device and the file system of a directory in /proc/mounts: those of the longest path that leads to it.
func mountOf(mounts []byte, dir string) (device, fileSystem string) {
	longest := -1
	for line := range bytes.Lines(mounts) {
		words := strings.Fields(string(line))
		if len(words) < 3 || len(words[1]) < longest {
			continue
		}
		if relative, err := filepath.Rel(words[1], dir); err == nil && relative != ".." && !strings.HasPrefix(relative, "../") {
			device, fileSystem, longest = words[0], words[2], len(words[1])
		}
	}
	return device, fileSystem
}

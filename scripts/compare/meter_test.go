package main

import (
	"os"
	"testing"
	"time"
)

func TestParseStatSkipsTheName(t *testing.T) {
	parent, cpu, err := parseStat([]byte("17 (a ) b) S 4 17 17 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0 100 200 300\n"))
	if err != nil || parent != 4 || cpu != 3*time.Second {
		t.Errorf("parent %d, time %s, %v; want 4, 3s", parent, cpu, err)
	}
	if _, _, err := parseStat([]byte("17 (a) S 4")); err == nil {
		t.Error("half a line was read")
	}
}

func TestParseFieldWantsTheWholeName(t *testing.T) {
	text := []byte("VmHWM:\t  120 kB\nRssAnon:\t   80 kB\n")
	if n, err := parseField(text, "RssAnon:"); err != nil || n != 80 {
		t.Errorf("RssAnon: %d, %v", n, err)
	}
	if _, err := parseField(text, "Rss"); err == nil {
		t.Error("a part of a name was found")
	}
}

func TestParseDiskStatCountsSectors(t *testing.T) {
	if n, err := parseDiskStat("  1 2 3 4 5 6 100 8 0 10 11\n"); err != nil || n != 51200 {
		t.Errorf("%d bytes, %v; want 51200", n, err)
	}
	if _, err := parseDiskStat("1 2 3"); err == nil {
		t.Error("a short line was read")
	}
}

func TestMountOfFindsTheLongestPath(t *testing.T) {
	mounts := []byte("/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tm xfs rw 0 0\n")
	for dir, want := range map[string]string{"/tmp/compare-1": "tmpfs", "/tm/x": "xfs", "/tmpx": "ext4", "/": "ext4", "/..tmp": "ext4"} {
		if _, fileSystem := mountOf(mounts, dir); fileSystem != want {
			t.Errorf("%s is on %s, want %s", dir, fileSystem, want)
		}
	}
}

func TestTheMeterSeesThisProcess(t *testing.T) {
	m := &meter{nodes: [][]int{{os.Getpid()}}}
	s, err := m.observe(func() {
		for start := time.Now(); time.Since(start) < 3*tick; {
		}
	})
	if err != nil || s.anonymous == 0 || s.resident < s.anonymous || s.elapsed < 3*tick || s.client == 0 {
		t.Errorf("observed %+v, %v", s, err)
	}
}

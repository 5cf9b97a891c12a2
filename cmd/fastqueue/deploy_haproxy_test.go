package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// haproxyFile is deploy/haproxy.cfg: its lines as words, by section.
type haproxyFile map[string][][]string

func readHAProxy(t *testing.T) haproxyFile {
	t.Helper()
	h, section := haproxyFile{}, ""
	for line := range strings.Lines(repositoryFile(t, "deploy/haproxy.cfg")) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case line[0] != ' ':
			section = strings.Join(words, " ")
			h[section] = nil
		default:
			h[section] = append(h[section], words)
		}
	}
	return h
}

// value is the word behind the given ones in a section; empty when there is none.
func (h haproxyFile) value(section string, setting ...string) string {
	for _, words := range h[section] {
		for i := range len(words) - len(setting) {
			if slices.Equal(words[i:i+len(setting)], setting) && (i == 0 || words[0] == "default-server") {
				return words[i+len(setting)]
			}
		}
	}
	return ""
}

// servers are the addresses of a backend, sorted.
func (h haproxyFile) servers(backend string) []string {
	var all []string
	for _, words := range h["backend "+backend] {
		if words[0] == "server" {
			all = append(all, words[2])
		}
	}
	slices.Sort(all)
	return all
}

// duration is a time of the defaults section.
func (h haproxyFile) duration(t *testing.T, setting ...string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(h.value("defaults", setting...))
	if err != nil {
		t.Fatalf("%q: %v", setting, err)
	}
	return d
}

func TestHAProxyChecksWhatNodesSay(t *testing.T) {
	h := readHAProxy(t)
	for backend, path := range map[string]string{"ready": "/readyz", "alive": "/livez"} {
		if got := h.value("backend "+backend, "http-check", "send", "meth", "GET", "uri"); got != path {
			t.Errorf("backend %s checks %q, want %s", backend, got, path)
		}
	}
}

// TestHAProxyIsPatientAtTheRightEnd compares the times of haproxy.cfg with those of a node.
func TestHAProxyIsPatientAtTheRightEnd(t *testing.T) {
	h, node := readHAProxy(t), httpLimits(t)
	if server := h.duration(t, "timeout", "server"); server <= node.duration(t, "Write") {
		t.Errorf("timeout server %s: HAProxy gives up before the node, which takes up to %s", server, node.duration(t, "Write"))
	}
	if idle := h.duration(t, "timeout", "http-keep-alive"); idle >= node.duration(t, "Idle") {
		t.Errorf("timeout http-keep-alive %s: a node closes an idle connection after %s", idle, node.duration(t, "Idle"))
	}
	// One check is under way at most, the second failure comes after fastinter.
	noticed := h.duration(t, "default-server", "check", "inter") + h.duration(t, "timeout", "check") + 2*h.duration(t, "fastinter")
	if o := (deployedNode{args: []string{"serve"}}).options(t); noticed >= o.drainTime {
		t.Errorf("a draining node is noticed within %s, and answers for %s", noticed, o.drainTime)
	}
	if h.value("defaults", "retry-on") != "conn-failure" {
		t.Error("a request may be sent twice: retry-on must be conn-failure alone")
	}
}

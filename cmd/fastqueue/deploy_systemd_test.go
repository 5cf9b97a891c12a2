package main

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// readUnit returns the settings of deploy/fastqueue.service, %-specifiers filled in for one host. A setting that is given
// several times has several values.
func readUnit(t *testing.T, host string) map[string][]string {
	t.Helper()
	text := strings.ReplaceAll(repositoryFile(t, "deploy/fastqueue.service"), "\\\n", " ")
	text = strings.NewReplacer("%H", host, "%l", strings.Split(host, ".")[0]).Replace(text)
	unit := map[string][]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			unit[name] = append(unit[name], value)
		}
	}
	return unit
}

func TestUnitStartsANodeOnEachHost(t *testing.T) {
	env := environmentFile(t, "deploy/fastqueue.env.example")
	var nodes []nodeOptions
	for peer := range strings.SplitSeq(env["FASTQUEUE_PEERS"], ",") {
		host, _, err := net.SplitHostPort(peer)
		if err != nil {
			t.Fatal(err)
		}
		unit := readUnit(t, host)
		args := strings.Fields(unit["ExecStart"][0])
		o := deployedNode{args[1:], env}.options(t)
		if want := "/var/lib/" + unit["StateDirectory"][0]; o.dataDir != want {
			t.Errorf("the data goes to %s, and %s is writable", o.dataDir, want)
		}
		checkStopTime(t, unit["TimeoutStopSec"][0], o)
		nodes = append(nodes, o)
	}
	checkPeers(t, nodes)
}

func TestUnitStartsAgainAfterAFullDisk(t *testing.T) {
	unit := readUnit(t, "n1")
	never := strings.Fields(unit["RestartPreventExitStatus"][0])
	if unit["Restart"][0] != "on-failure" || slices.Contains(never, "75") || !slices.Contains(never, "77") {
		t.Errorf("Restart=%s, except after %q; want it on failure, after 75 too, and not after 77", unit["Restart"], never)
	}
	files, err := strconv.ParseInt(unit["LimitNOFILE"][0], 10, 64)
	if most := httpLimits(t).number(t, "Connections"); err != nil || files < 2*most {
		t.Errorf("LimitNOFILE=%v, want room for %d connections and as many files", unit["LimitNOFILE"], most)
	}
}

// checkStopTime wants a supervisor to wait longer than an orderly stop takes.
func checkStopTime(t *testing.T, given string, o nodeOptions) {
	t.Helper()
	longest := max(o.drainTime, handOverLimit) + closeLimit
	if d, err := time.ParseDuration(given); err != nil || d <= longest {
		t.Errorf("the supervisor waits %s for a stop that takes up to %s (%v)", given, longest, err)
	}
}

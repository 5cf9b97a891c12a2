package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cluster"
)

func TestStatusTable(t *testing.T) {
	now := time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)
	v := client.Cluster{
		Node: "node1", AgeMs: 42_400, Summary: "No leader. 1 of 3 voters up, 2 are needed.",
		Members: []client.Member{
			{Name: "node1", Voter: true, Up: true, HTTP: "n1:9080", AppliedIndex: 1234, DiskFree: 5 << 30, Version: "v1.0.0 0123456789abcdef",
				CertificateExpires: now.Add(100 * 24 * time.Hour)},
			{Name: "node2", Voter: true, HTTP: "n2:9080", Lag: 17, LagSeconds: 3.25, AppliedIndex: 1217, LastContactMs: 40_000, DiskFree: 900, DiskLow: true,
				ClockDifferenceMs: -12, Draining: true, CertificateExpires: now},
			{Name: "node3", HTTP: "n3:9080", LastContactMs: -1},
		},
	}
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	statusTable(w, &v, now)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	const want = `No leader. 1 of 3 voters up, 2 are needed.

NODE   ROLE                UP   LAG  SECONDS  APPLIED  DISK FREE  VERSION         CLOCK   CERTIFICATE            API
node1  follower            yes  0    0.0      1234     5.0 GiB    v1.0.0 0123456  +0 ms   2027-04-25 (100 days)  n1:9080
node2  follower, stopping  NO   17   3.2      1217     900 B LOW  ?               -12 ms  2027-01-15 EXPIRED     n2:9080
node3  joining             NO   ?    ?        ?        ?          ?               ?       ?                      n3:9080

As seen by node1, which last heard of a leader 42s ago.
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestStatusShowsAllThatTheAPISays compares the fields of the two types: what the client does not know would be missing in -o json.
func TestStatusShowsAllThatTheAPISays(t *testing.T) {
	at := time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)
	sent, err := json.Marshal(cluster.View{ClusterID: "c", Summary: "Healthy.", Members: []cluster.MemberView{{Name: "n", CertificateExpires: at}, {Name: "m"}}})
	if err != nil {
		t.Fatal(err)
	}
	var got client.Cluster
	if err := json.Unmarshal(sent, &got); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	if err := (&output{format: formatJSON}).print(&shown, got, nil); err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, shown.Bytes()); err != nil || compact.String() != string(sent) {
		t.Errorf("shown\n%s, %v; the API says\n%s", compact.String(), err, sent)
	}
}

func TestByteSize(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1 << 10: "1.0 KiB", 1536: "1.5 KiB", 1 << 30: "1.0 GiB", 3 << 40: "3.0 TiB", 5 << 60: "5120.0 PiB"} {
		if got := byteSize(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// TestStatusAsksForReadinessWhenNoNodeKnows has one node that is down and one that can't log anybody in.
func TestStatusAsksForReadinessWhenNoNodeKnows(t *testing.T) {
	noLeader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		if r.URL.Path == "/readyz" {
			w.Write([]byte(`{"reasons":["no leader is known"]}`))
			return
		}
		w.Write([]byte(`{"code":"no_leader","detail":"no leader","outcome":"not_applied"}`))
	}))
	defer noLeader.Close()
	down := "http://" + freeAddress(t)
	t.Setenv("FASTQUEUE_PASSWORD", "irrelevant")
	root := newRootCommand()
	var stdout, stderr bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetArgs([]string{"cluster", "status", "--username", "admin", "--url", down, "--url", noLeader.URL})
	err := root.ExecuteContext(t.Context())
	if exitCode(err) != exitUnavailable {
		t.Errorf("error %v with code %d, want %d", err, exitCode(err), exitUnavailable)
	}
	for _, says := range []string{down + "  not reachable", noLeader.URL + "  not ready (503)", "no leader is known"} {
		if !strings.Contains(stderr.String(), says) {
			t.Errorf("%q does not say %q", stderr.String(), says)
		}
	}
	if stdout.Len() > 0 {
		t.Errorf("printed %q, which is no status", stdout.String())
	}
}

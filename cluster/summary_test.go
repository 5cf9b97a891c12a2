package cluster

import (
	"testing"
	"time"
)

func TestSummary(t *testing.T) {
	now := time.Unix(1_700_000_000, 0).UTC()
	up := func(names ...string) (members []MemberView) {
		for _, n := range names {
			members = append(members, MemberView{Name: n, Voter: true, Up: true, CertificateExpires: now.Add(300 * 24 * time.Hour)})
		}
		return members
	}
	with := func(members []MemberView, change func(m *MemberView), which ...int) []MemberView {
		for _, i := range which {
			change(&members[i])
		}
		return members
	}
	down := func(m *MemberView) { m.Up = false }
	low := func(m *MemberView) { m.DiskLow = true }
	learner := func(m *MemberView) { m.Voter = false }
	ending := func(m *MemberView) { m.CertificateExpires = now.Add(24 * time.Hour) }
	for _, test := range []struct {
		leader  string
		members []MemberView
		want    string
	}{
		{"a", up("a", "b", "c"), "Healthy. 3 of 3 voters up. You can lose 1 node."},
		{"a", up("a", "b", "c", "d", "e"), "Healthy. 5 of 5 voters up. You can lose 2 nodes."},
		{"a", up("a", "b", "c", "d"), "Healthy. 4 of 4 voters up. You can lose 1 node."},
		{"a", up("a", "b"), "Healthy. 2 of 2 voters up. You can lose 0 nodes."},
		{"a", up("a"), "Healthy. 1 of 1 voter up. You can lose 0 nodes. Two more nodes would keep it going when one is lost."},
		{"a", with(up("a", "b", "c"), learner, 2), "Healthy. 2 of 2 voters up. You can lose 0 nodes."},
		{"a", with(up("a", "b", "c"), down, 2), "Degraded. 2 of 3 voters up (c is down). You can lose 0 nodes."},
		{"a", with(up("a", "b", "c", "d", "e"), down, 1, 2), "Degraded. 3 of 5 voters up (b and c are down). You can lose 0 nodes."},
		{"", with(up("a", "b", "c"), down, 1, 2), "No leader. 1 of 3 voters up, 2 are needed: b and c are down."},
		{"", with(up("a", "b"), down, 1), "No leader. 1 of 2 voters up, 2 are needed: b is down."},
		{"", up("a", "b", "c"), "No leader. 3 of 3 voters up, 2 are needed: an election is under way, or they don't reach each other."},
		{"a", with(up("a", "b", "c"), low, 1), "Degraded. 3 of 3 voters up. You can lose 1 node. Disk low on b."},
		{"a", with(up("a", "b", "c"), low, 1, 2), "Degraded. 3 of 3 voters up. You can lose 1 node. Disk low on b and c: sends are refused until a majority has room again."},
		{"a", with(with(up("a", "b", "c", "d"), learner, 3), low, 1, 3), "Degraded. 3 of 3 voters up. You can lose 1 node. Disk low on b and d."},
		{"a", with(up("a", "b", "c"), ending, 1), "Healthy. 3 of 3 voters up. You can lose 1 node. Certificates end soon: b (2023-11-15)."},
		{"", nil, "Not in the cluster yet: this node has not heard who belongs to it."},
	} {
		if got := summary(View{Leader: test.leader, Members: test.members}, now); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

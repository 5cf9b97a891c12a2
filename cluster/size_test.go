package cluster

import "testing"

func TestSizes(t *testing.T) {
	for text, want := range map[string]struct {
		size Size
		is   string
	}{
		"1": {1, "1B"}, "4095": {4095, "4095B"}, "4096": {4096, "4KiB"}, "1.5KiB": {1536, "1536B"}, "128MiB": {128 << 20, "128MiB"},
		"1 GiB": {1 << 30, "1GiB"}, "2TiB": {2 << 40, "2TiB"}, "2048 TiB": {2 << 50, "2048TiB"}, "20GB": {20e9, "19531250KiB"},
	} {
		got, err := ParseSize(text)
		if err != nil || got != want.size || got.String() != want.is {
			t.Errorf("%q is %d, %s, %v; want %d, %s", text, got, got, err, want.size, want.is)
		}
		if again, err := ParseSize(got.String()); err != nil || again != got {
			t.Errorf("%s is read as %d, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "NaN", "KiB", "1K", "1e30", "5%"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestTheLeaseFollowsTheHeartbeat(t *testing.T) {
	if c := (Config{}).withDefaults(); c.Heartbeat.Milliseconds() != 400 || c.LeaderLease.Milliseconds() != 320 {
		t.Errorf("the defaults are %s and %s, want 400 and 320 ms", c.Heartbeat, c.LeaderLease)
	}
	if c := (Config{Heartbeat: 2 * DefaultHeartbeat}).withDefaults(); c.LeaderLease.Milliseconds() != 640 {
		t.Errorf("the lease is %s with a heartbeat of %s", c.LeaderLease, c.Heartbeat)
	}
}

package main

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

const (
	repeatedKills = 3  // of the leader, at least
	mostKills     = 15 // until a send has come again whose answer the leader took with it
)

// TestSendsHaveOneEffectThoughTheLeaderDies kills the leader under clients that have the patience for an election: they learn
// what became of every send, and no message is there twice.
func TestSendsHaveOneEffectThoughTheLeaderDies(t *testing.T) {
	c := startCluster(t, 3)
	l := startLoadThrough(c, func(worker int, base http.RoundTripper) (*client.Client, error) {
		return c.NewClient(client.Config{URLs: c.URLs(worker), Token: c.Token(), Patience: patience, Transport: base})
	})
	var outages []time.Duration
	replays := 0.0
	for len(outages) < repeatedKills || replays+c.replays() == 0 {
		if len(outages) == mostKills {
			t.Fatalf("no send came again after %d kills: nothing was proved", mostKills)
		}
		l.waitAcknowledged(500, 50)
		replays += c.waitLeader().replays() // it counts from 0 when it is back
		outages = append(outages, l.killLeader())
	}
	l.finish()
	sends, _ := l.History().Acknowledged()
	t.Logf("%d sends acknowledged, %v of them when they came again; until writes went on after each kill: %v", sends, replays+c.replays(), outages)
	if unknown := l.History().UnknownSends(); unknown > 0 {
		t.Errorf("%d sends of unknown outcome", unknown)
	}
}

// replays is how many sends the nodes have answered as the first time.
func (c *testCluster) replays() float64 {
	sum := 0.0
	for _, n := range c.nodes {
		sum += n.replays()
	}
	return sum
}

func (n *testNode) replays() (value float64) {
	n.c.t.Helper()
	eventually(n.c.t, n.Name+" shows its metrics", func() error {
		_, page, err := n.Get("/metrics")
		if err != nil {
			return err
		}
		line := regexp.MustCompile(`(?m)^fastqueue_idempotent_replays_total (.*)$`).FindStringSubmatch(page)
		if line == nil {
			return errors.New("no count of repeated sends")
		}
		if value, err = strconv.ParseFloat(line[1], 64); err != nil {
			return fmt.Errorf("count of repeated sends: %w", err)
		}
		return nil
	})
	return value
}

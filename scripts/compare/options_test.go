package main

import (
	"slices"
	"testing"
)

func TestOptionsRefuseWhatDoesNotExist(t *testing.T) {
	for _, args := range [][]string{
		{"--systems", "kafka"}, {"--shapes", "sends-2"}, {"--rounds", "0"}, {"--duration", "0s"}, {"--waiting", "10,5"}, {"--waiting", "x"}, {"rest"},
	} {
		if o, err := parseOptions(args); err == nil {
			t.Errorf("%q was taken: %+v", args, o)
		}
	}
}

func TestOptionsChoose(t *testing.T) {
	o, err := parseOptions([]string{"--systems", "nats,rabbitmq", "--shapes", "loops-1,sends-1", "--waiting", "1000,2000", "--rounds", "0"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.systems, []string{"nats", "rabbitmq"}) || !slices.Equal(o.waiting, []int{1000, 2000}) {
		t.Errorf("options: %+v", o)
	}
	chosen := o.chosenShapes()
	if len(chosen) != 2 || chosen[0].name != "sends-1" || chosen[1].name != "loops-1" {
		t.Errorf("shapes: %+v", chosen)
	}
}

func TestRabbitLeaderWantsThreeMembersOnline(t *testing.T) {
	nodes := `["compare0@localhost","compare1@localhost","compare2@localhost"]`
	if leader, err := rabbitLeader(`[{"name":"jobs1","leader":"compare2@localhost","members":` + nodes + `,"online":` + nodes + `}]`); err != nil || leader != 2 {
		t.Errorf("leader %d, %v", leader, err)
	}
	for _, text := range []string{`[]`, `{`, `[{"leader":"compare0@localhost","members":` + nodes + `,"online":["compare0@localhost"]}]`, `[{"leader":"other","members":` + nodes + `,"online":` + nodes + `}]`} {
		if leader, err := rabbitLeader(text); err == nil {
			t.Errorf("%s has the leader %d", text, leader)
		}
	}
}

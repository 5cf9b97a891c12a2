package main

import (
	"context"
	"fmt"
)

// Names of the contenders, for --systems and the goals.
const (
	fastQueueWAL  = "fastqueue-wal"
	fastQueueBolt = "fastqueue-bolt"
	natsAlways    = "nats-always"
	natsDefault   = "nats"
	rabbitQuorum  = "rabbitmq"
)

// contender is a system under the names that the user sees.
type contender struct {
	name, title string
	system      system
	ours        bool // FastQueue
}

// contenders builds or finds the programs of the systems that are asked for.
func contenders(ctx context.Context, o *options, work string) ([]contender, error) {
	ports := newPorts()
	var found []contender
	var ourProgram, ourRelease, natsProgram, natsRelease string
	var err error
	for _, name := range o.systems {
		c := contender{name: name}
		switch name {
		case fastQueueWAL, fastQueueBolt:
			if ourProgram == "" {
				if ourProgram, ourRelease, err = buildFastQueue(ctx, o.tree, work); err != nil {
					return nil, err
				}
			}
			store := name[len("fastqueue-"):]
			c.title, c.ours = fmt.Sprintf("FastQueue (%s)", store), true
			c.system = &fastQueue{ports: ports, program: ourProgram, release: ourRelease, logStore: store}
		case natsAlways, natsDefault:
			if natsProgram == "" {
				if natsProgram, natsRelease, err = buildNATS(ctx, work); err != nil {
					return nil, err
				}
			}
			c.title = "NATS (default)"
			if name == natsAlways {
				c.title = "NATS (sync: always)"
			}
			c.system = &natsCluster{ports: ports, program: natsProgram, release: natsRelease, syncAlways: name == natsAlways}
		case rabbitQuorum:
			scripts, release, err := findRabbitMQ()
			if err != nil {
				return nil, err
			}
			c.title = "RabbitMQ (quorum)"
			c.system = &rabbitMQ{ports: ports, scripts: scripts, release: release}
		}
		found = append(found, c)
	}
	return found, nil
}

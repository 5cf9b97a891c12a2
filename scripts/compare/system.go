package main

import "context"

// nodes is how many nodes each system has.
const nodes = 3

// system is a queue that is measured: three nodes on this machine, and one queue on them.
type system interface {
	// version says which release of the system it is.
	version() string
	// start starts three new nodes with all their files below dir, and returns when they serve.
	start(ctx context.Context, dir string) error
	// stop ends the nodes at once; their files are of no further use.
	stop()
	// processes are the three nodes, in their order.
	processes() []*process
	// newQueue replaces the queue by an empty one that all three nodes hold, and returns the node that leads it.
	newQueue(ctx context.Context) (leader int, err error)
	// connect opens one connection to a node. It is usable until ctx ends.
	connect(ctx context.Context, node int) (connection, error)
}

// connection is one client's connection. It is used by one goroutine, which waits in every call until the system has
// confirmed what it did. After an error it can only be closed.
type connection interface {
	// send sends one message.
	send(ctx context.Context) error
	// sendTen sends ten messages and waits once.
	sendTen(ctx context.Context) error
	// loop sends a message, receives one and acknowledges it.
	loop(ctx context.Context) error
	// loopTen sends, receives and acknowledges ten messages, with as few waits as the system allows.
	loopTen(ctx context.Context) error
	close()
}

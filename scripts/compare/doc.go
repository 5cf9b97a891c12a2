// Compare measures FastQueue side by side with NATS JetStream and RabbitMQ quorum queues, on one machine in one run.
//
// Each round starts every system in turn, as three new nodes in an empty directory, loads it with every shape and ends it; the
// first system of a round is another one each time. A system is started anew per round because an idle cluster is not free (it
// sends heartbeats, collects garbage, compacts), because a stopped one (SIGSTOP) elects and partitions when it goes on, and
// because each round then begins from the same state. Start-up costs 2 to 20 seconds.
//
// What is the same for all: one queue on three nodes, every send confirmed when a majority has it, bodies of 256 bytes, one
// operation under way per connection, the next when the last one is answered. A queue is new for each figure. The connections
// are spread over the three nodes, the first one to a node that does not lead the queue: a single connection goes there.
//
// What is not the same, because the systems are not:
//   - The nodes of NATS in its default mode sync every two minutes: what is confirmed may be lost with the power.
//   - RabbitMQ has no answer to an acknowledgement, so that its loops wait for one answer less.
//   - RabbitMQ pushes messages to a consumer (prefetch of 1, or 10 in loops of ten) before it asks.
//   - NATS and RabbitMQ pipeline ten requests where FastQueue has one request for ten messages.
//
// The program needs Linux, the Go toolchain, and RabbitMQ as Debian installs it. It is its own module, so that the peers'
// packages are not among FastQueue's.
package main

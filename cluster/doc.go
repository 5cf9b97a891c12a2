// Package cluster makes this process a member of a replicated cluster: it has commands applied to the state machine of
// package fsm on all members, wherever the leader is, and answers reads that are as new as their request.
//
// It is not an API: package httpd is, and knows nothing of leaders. It holds no queues: package fsm does.
//
// # The way of a request
//
// Node.Propose, Receive and Read (propose.go) hand a request to the member that this node takes for the leader, over the
// internal stream of package transport, or to itself. Node.Handle (handle.go) answers there, from a leadership
// (leadership.go), which exists from the first applied tick of a term until the term ends:
//
//	coalescer  commands of many callers become few log entries          coalesce.go
//	waiters    receives that wait for messages                          waiters.go
//	rounds     proof that this node still leads, shared by reads        read_round.go
//	clock      the time that entries carry                              clock.go
//
// A request whose answer was lost with its leader is asked again, of the next one, under the same number (repeat.go,
// session.go): package fsm answers a number that it knows without applying it.
//
// # Coming and going
//
//	joiner                       member                        leader
//	  |  proof of the token        |                              |
//	  |--------------------------->|                              |
//	  |  proof of the token        |  admit (member, public key)  |
//	  |                            |----------------------------->|  adds a non-voter, records it,
//	  |  certificate, members      |  certificate, members        |  signs the certificate
//	  |<---------------------------|<-----------------------------|
//	  |                                                           |
//	  |  <---------------- checkpoint and log ------------------  |
//	  |                                                           |  within 250 entries: removes an earlier
//	  |  "joined"                                                 |  incarnation, then makes it a voter
//
// A node's raft id is its name and the incarnation of its data directory: a node that lost its directory has forgotten its
// votes, and comes back as another one. Members ask each other once a second how they are (status.go), which also spreads
// their addresses; these are kept beside the log, since a leader must be found before the log is applied.
//
// # Who owns what
//
// A Node's mutable fields are under its mutex. A replica is built once and then read; its leadership is an atomic pointer
// that only watchLeadership writes. Callbacks out of raft's FSM goroutine (replica.wakeWaiters) never block.
package cluster

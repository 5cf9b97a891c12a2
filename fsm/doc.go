// Package fsm is the state machine of FastQueue: users, queues and messages as a deterministic function of the raft log.
//
// # Life cycle of a message
//
//	             delay over
//	  +---------+          +-------+    receive    +--------+   delete
//	  | delayed | -------> | ready | ------------> | leased | ---------> gone
//	  +---------+          +-------+ <------------ +--------+
//	       ^                ^     |   lease ends,
//	send with delay      send     |   release
//	                              +--- delete by the last receipt ---> gone
//
// A message's place in its queue is its sequence, given at send and never changed: whatever makes it ready again puts it
// back in that place. A receipt names one delivery; the next delivery of the same message supersedes it.
//
// # Who may do what
//
// The edge proves a signature or hashes an API key; what comes in is a principal, and principal.go decides what it is
// worth: whether its user is there, whether the token's version is the present one and its log-in was not ended
// (ended_family.go), whether the key exists and has not expired (api_key.go). Roles are read from the user's record, never
// from a token. A password that changes ends tokens and leaves API keys; a user who is deleted ends both.
//
// An API key has the rights of its user, except for what leads to more keys or log-ins with the same rights: it creates no
// API keys, sets nobody's password and makes nobody an admin. It may register users, who have the role user, take the role
// admin away, and make join tokens.
//
//	log-in --> family of refresh tokens --refresh--> next generation, a new access token
//	                 |                                   until 7 days pass without one
//	                 +--- logout, a generation used again, the 101st log-in ---> ended: access tokens too
//
// # Determinism
//
// Apply sees the entries and the state and nothing else. There is no clock, no randomness, no environment and no
// goroutine in this package, and no map is ranged over where its order could show. Time arrives in the entry; ids are
// counted in the state. A cache or a window never changes a result, whatever its size. Whatever the world decides
// (password hashes, keys, certificates) is decided before the entry and travels in it. A refusal is a result, the same on
// every replica; an error of the storage ends the process.
//
// # Commands that come again
//
// Whoever does not learn what became of a command may send it again: a member under the number that its session gave it
// (session.go), a client under its idempotency key (idempotency_key.go). remembered.go keeps the answers, so that the second
// copy is answered as the first one was and is not carried out.
//
// # Who owns what
//
// raft's FSM goroutine is the only one that calls Apply, ApplyBatch, Snapshot and Restore, and the only one that touches
// type state, a cache of what the store holds (package fsm/store, whose schema.go is the page to read first). Everybody
// else reads the store through View and Query, or the few numbers that ApplyBatch publishes when it has committed.
//
// # How a command is added
//
// One message in fsmpb/fsm.proto, one file here with its apply function, one line in the switch of apply.go, and a
// scenario in testdata. What grows by it gets a number in limits.go and a row in TestLimits.
package fsm

// Package load is clients that use a cluster in all the ways there are, at random, and record in a history what they see.
//
//	queue       workers
//	load        senders and receivers: alone and in batches, with delays, with and without waiting
//	short       the same with leases of a second that are often left to end; old receipts are used on purpose
//	handoff-*   one worker each: what it has sent through one node it must receive through another at once
//	register-*  queues and users that a slow stream of operations creates, changes, reads and deletes
//
// Several users share the work. Half of the clients are patient: they hide an election from their callers; the others see
// every refusal. A request is never cut short when the load stops, so that its outcome is known.
package load

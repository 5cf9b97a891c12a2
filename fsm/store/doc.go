// Package store keeps the replicated state on disk: ordered keys in Pebble, and the bridge between that engine, raft's
// snapshots and raft's log.
//
// The raft log is the write-ahead log. Pebble's own is off: a batch is committed in memory and reaches the disk with
// the next flush, so that after a crash the store holds an exact prefix of the log, and raft hands over the rest again.
// With what it is given Pebble also gets the store's Position (index, term and member list), which is why the store always
// knows which prefix it holds.
//
// What the latest batches wrote is young: it waits in a map, up to 2 MiB, before Pebble gets it, and what is deleted before
// that leaves no trace. A message that is sent, received and deleted soon costs Pebble nothing. Whoever takes a Reader, a
// snapshot or a checkpoint has everything passed on first.
//
// The live store is the snapshot. [Store.Snapshots] lists exactly one snapshot, the present position; persisting it is
// a flush, after which raft may shorten its log; opening it makes a checkpoint of hard links and streams that. A member
// that is too far behind receives such a stream into a directory of its own, checks it while it arrives, and
// [Store.Restore] puts it in the place of the old state with one rename.
//
//	<dir>/LOCK          held while the store is open
//	<dir>/g-00000001/   a generation: one Pebble directory; the one with the highest number is the state
//	<dir>/tmp-.../      unfinished work: a stream that arrives, a checkpoint that leaves. Removed at start.
//
// A generation is counted: Restore never waits for a reader, it publishes the new generation, and the last holder of
// the old one closes and removes it.
//
// There is one rule for failures: an error of the disk or of the engine goes to Options.Fatal, which ends the process.
// Batch and Reader therefore return no errors. What comes from another machine, a damaged stream say, is refused with
// an error and changes nothing.
//
// Keys that begin with the byte 0x00 belong to this file set; schema.go has all others.
package store

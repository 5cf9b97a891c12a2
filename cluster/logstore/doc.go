// Package logstore keeps raft's log and raft's few other durable values (term and vote) on disk.
//
// Two backends stand behind one interface: bolt (raft-boltdb, a B+tree file) and wal (raft-wal, segment files). A
// directory belongs to the backend that made it, and to one process at a time.
//
// A wrapper around the backend holds what raft does not promise by itself:
//
//   - A call that hangs or fails ends the process (Options.Fatal): raft's main loop is inside the call, so that nothing
//     softer is possible, and heartbeats would go on meanwhile.
//   - The log has no holes. After an install raft appends behind the received state; older entries go first. What an
//     entry's absence means is therefore clear at start, see [Reconcile].
//   - A long head is deleted in slices, since one large deletion makes appends wait for a second.
//   - Entries carry a checksum, and both backends' files are looked through at start: damage in the middle is an error
//     (ErrDamaged), and only what a crash can have cut short is cut off.
//   - The youngest entries, up to a number and up to so many bytes, are read from memory, exactly as the disk would give them.
//   - Raft's term and vote are one record with a checksum: a node that forgets them votes twice.
//   - What the libraries take on trust in files without a checksum, bolt's pages and raft-wal's list of segments, is
//     checked before they open them.
//   - Entries behind an installed state that agree with it stay: raft would clear the whole log of a store that cannot
//     have holes, entries that it has acknowledged included.
package logstore

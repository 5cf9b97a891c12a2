// Package faultfs is a disk that fails when it is told to: a FUSE file system, for Linux and root, that keeps its files in
// an ordinary directory. A whole fastqueue process works on it, bolt's memory map, Pebble's hard links and the locks
// included.
//
// # Faults
//
// Disk.Inject adds one fault to the writes, the syncs or the directory changes under a path: an error, a delay, or a stall
// that lasts until it is lifted. A process that is killed inside a stalled call ends only when the call does, as with a real
// disk. While a file is synced, FUSE lets nobody write to it: a slow sync holds up the writes to that file as well.
// Disk.SetRoom is how much may still be written; statfs says the same number.
//
// # Power loss
//
// Disk.PowerOff is the moment; then the process is killed, and Disk.Crash is what is left. The file system keeps, for each file, the
// bytes that every page had when the file was last synced and its size then, and for each directory the names that it had:
//
//   - fsync and fdatasync of a file forget what is kept of that file: its bytes are on the disk now.
//   - fsync of a directory does the same for its names. A name, a rename or a deletion is lost without it, however often
//     the file itself was synced. A rename between two directories is kept or lost as a whole: a sync of either keeps it.
//   - With Options.Journal, any sync keeps all names, as the journal of ext4 does. The default is what POSIX promises.
//   - sync and syncfs do not reach a FUSE file system, so they sync nothing here.
//   - Owner, mode and times are not taken back.
//
// Crash then puts back what was kept (everything unsynced is gone), or, told to tear, puts back a part of it by a seed: the
// kernel may have written any of the pages, and any part of a page in units of a sector, before the power went.
//
// Nothing is ever synced to the directory behind: it only has to outlive this process's children, not the machine.
package faultfs

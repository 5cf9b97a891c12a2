// Package damage does to the files of a node that does not run what failing disks and people do: a bit flips, a block is
// lost, a tail is missing or is something else. The same seed damages the same bytes.
package damage

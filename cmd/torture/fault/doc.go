// Package fault is what can go wrong, one file per kind. A Fault breaks something in a running Scene, waits for what follows,
// heals it, and tells by its Evidence that it took effect: one that did not happen proves nothing.
//
// A new kind is a type here that implements Fault, and a line in All. What has to be in place before the nodes start, a
// proxy, a network, another file system, is its Prepare (Preparer). Faults that share such a thing hold the same pointer,
// which All makes.
package fault

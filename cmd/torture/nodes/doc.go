// Package nodes runs clusters of real FastQueue processes on this machine: it starts, signals, wipes and watches them.
//
// A Node is a data directory with its addresses and the command that starts it; a Process is one life of it. What all lives
// of a node print goes to one file. Whoever wants a node elsewhere, in a network namespace, behind a proxy, on another file
// system, changes the fields of the Node before its Start.
//
// Nothing here knows of package testing: what fails is an error.
package nodes

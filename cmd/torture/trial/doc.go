// Package trial is one round of the fault harness: a new cluster, a load, strikes of faults in an order that follows from a
// seed, a complete drain, and all checks. Its Result says what was promised and broken, and whether enough happened to prove
// anything.
package trial

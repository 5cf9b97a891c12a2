// Package faultclock is a wall clock that a test sets wrong while the process runs: it jumps, or runs fast or slow, as a file
// says. Only a program that is built with the tag "faultclock" has it. Time that a process measures, as opposed to what its
// clock shows, goes on as it is: on a machine whose clock is set wrong, timers and leases run on, too.
package faultclock

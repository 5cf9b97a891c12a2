// Package history is what clients did and saw, and the checks of it against what FastQueue promises.
//
// Workers record into a History concurrently: every send, receive, delete and change of visibility with the time before the
// request and after its answer, and what the answer says of the effect. When they have ended and every queue was drained,
// received and deleted until it held nothing, Findings are the broken promises.
//
// The checks are sound and not complete: whatever they report is a broken promise, whatever the order of events inside the
// cluster was. Times are of one process's clock, so they can be compared; an event inside the cluster lies between the start
// and the end of its request, and that of a request with an unknown outcome at any time after its start.
package history

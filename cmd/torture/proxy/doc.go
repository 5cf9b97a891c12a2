// Package proxy is a TCP proxy that breaks on command. It stands between clients and the HTTP port of a node, or in front
// of a node's cluster port when that port is what the node advertises.
//
//	client ---> Proxy ---requests---> node
//	       <--responses---
//
// Each direction has a Rule that may change at any time and then holds for open connections too. A Rule never makes up a
// stream that TCP could not have shown: bytes are late, or they are missing, and a connection that lacks some never
// carries a later one. It ends with a reset instead.
//
// A proxy knows whom it leads to, not who comes: all nodes dial one advertised address, and all connections over loopback
// come from 127.0.0.1. So it cuts a node off from everybody. A fault between two certain nodes is a matter for package
// netns.
//
// Whatever a fault did is counted: a fault without a count did not happen.
package proxy

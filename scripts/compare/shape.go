package main

import "context"

// shape is a kind of load.
type shape struct {
	name     string // for --shapes
	title    string
	clients  int
	messages int // of one operation
	operate  func(connection, context.Context) error

	oursOnly   bool // only FastQueue is measured with it
	leaderOnly bool // all connections go to the node that leads
	burst      bool // all clients send one message at once after a silence, again and again
}

// Names of shapes that goals speak of.
const (
	sendsOne    = "sends-1"
	sends256    = "sends-256"
	leader256   = "leader-256"
	loops128    = "loops-128"
	tens32      = "tens-32"
	batches16   = "batches-16"
	burst1000   = "burst-1000"
	burstNumber = 1000
)

// shapes are all of them, in the order in which they are measured: what is compared with each other stands together.
func shapes() []shape {
	return []shape{
		{name: sendsOne, title: "sends, 1 connection", clients: 1, messages: 1, operate: connection.send},
		{name: "sends-64", title: "sends, 64 connections", clients: 64, messages: 1, operate: connection.send},
		{name: sends256, title: "sends, 256 connections", clients: 256, messages: 1, operate: connection.send},
		{name: leader256, title: "sends, 256 connections to the leader alone", clients: 256, messages: 1, operate: connection.send, oursOnly: true, leaderOnly: true},
		{name: "sends-1024", title: "sends, 1,024 connections", clients: 1024, messages: 1, operate: connection.send},
		{name: batches16, title: "sends in tens, 16 connections", clients: 16, messages: ten, operate: connection.sendTen},
		{name: "loops-1", title: "loops, 1 client", clients: 1, messages: 1, operate: connection.loop},
		loopsOf128(),
		{name: tens32, title: "loops in tens, 32 clients", clients: 32, messages: ten, operate: connection.loopTen},
		{name: burst1000, title: "1,000 sends at once after a silence", clients: burstNumber, messages: 1, operate: connection.send, oursOnly: true, burst: true},
	}
}

// loopsOf128 is also measured with messages waiting.
func loopsOf128() shape {
	return shape{name: loops128, title: "loops, 128 clients", clients: 128, messages: 1, operate: connection.loop}
}

package netns

import "time"

// Rule says what happens to the packets from one node to another. The zero Rule passes everything at once.
type Rule struct {
	// Cut loses all packets, those underway too. Packets in the other direction are another Rule's.
	Cut bool
	// OnlyFrom restricts Cut to what is sent from this TCP port, for instance the answers of a server on it; 0 is all.
	OnlyFrom uint16
	// Reset has Cut end each connection that it takes data from: both sides are sent a reset.
	Reset bool
	// Loss and Double are how likely a packet is lost, or arrives twice; 0 to 1.
	Loss, Double float64
	// Delay is added to the way of every packet, and a random part of Jitter to that. Packets overtake each other when
	// they follow in less than Jitter.
	Delay, Jitter time.Duration
	// BytesPerSecond is what the link carries; 0 is no limit. What is more waits, and what finds more than
	// waitingBytes waiting is lost.
	BytesPerSecond int
}

// waitingBytes is how much waits before a slow link.
const waitingBytes = 128 << 10

// Flow counts the packets from one node to another since the network was opened: the evidence that a fault took effect.
type Flow struct {
	Packets, Bytes uint64 // delivered
	Cut            uint64 // packets taken by Cut
	Reset          uint64 // connections ended by Reset, or tried to
	Lost           uint64 // packets taken by Loss
	Doubled        uint64 // packets delivered twice
	Late           uint64 // packets that waited for Delay or BytesPerSecond
	Overtaken      uint64 // packets that arrived behind a later one
	Overflown      uint64 // packets lost before a slow link
}

// Sub returns what was counted since earlier.
func (f Flow) Sub(e Flow) Flow {
	return Flow{
		Packets: f.Packets - e.Packets, Bytes: f.Bytes - e.Bytes, Cut: f.Cut - e.Cut, Reset: f.Reset - e.Reset,
		Lost: f.Lost - e.Lost, Doubled: f.Doubled - e.Doubled, Late: f.Late - e.Late,
		Overtaken: f.Overtaken - e.Overtaken, Overflown: f.Overflown - e.Overflown,
	}
}

// Add returns the sum of two flows.
func (f Flow) Add(g Flow) Flow {
	return Flow{
		Packets: f.Packets + g.Packets, Bytes: f.Bytes + g.Bytes, Cut: f.Cut + g.Cut, Reset: f.Reset + g.Reset,
		Lost: f.Lost + g.Lost, Doubled: f.Doubled + g.Doubled, Late: f.Late + g.Late,
		Overtaken: f.Overtaken + g.Overtaken, Overflown: f.Overflown + g.Overflown,
	}
}

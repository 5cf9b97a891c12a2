package fault

import "time"

// kind is what every fault says of itself; a fault embeds it.
type kind struct {
	name, about string
	needs       Needs
	bound       time.Duration
}

// Name implements Fault.
func (k kind) Name() string { return k.name }

// About implements Fault.
func (k kind) About() string { return k.about }

// Needs implements Fault.
func (k kind) Needs() Needs { return k.needs }

// Bound implements Fault.
func (k kind) Bound() time.Duration { return k.bound }

// hang is the bound of faults after which writes should go on within a second or three.
const hang = 20 * time.Second

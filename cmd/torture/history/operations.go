package history

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// searchLimit bounds the search for an order of one name's operations. One that takes longer proves nothing.
const searchLimit = 20 * time.Second

// Verb is what an Operation does.
type Verb string

// The operations on a user or a queue.
const (
	Create Verb = "create" // a queue with Value as its length limit; a user
	Update Verb = "update" // a queue's length limit, or a user's role, to Value
	Remove Verb = "delete"
	Read   Verb = "read" // Value is what was found
)

// Operation is one operation on a user or a queue, made by a single request: a client that tries again could do it twice.
type Operation struct {
	Span
	Worker int
	Name   string // with its kind, such as "queue a"
	Verb   Verb
	Value  string
	Answer Answer
	Found  bool // whether it existed, as the answer says: a creation that succeeds did not find it
}

func (o *Operation) String() string {
	result := "unknown"
	if o.Answer == OK {
		result = fmt.Sprintf("existed: %t", o.Found)
	}
	return fmt.Sprintf("%s(%s) -> %s", o.Verb, o.Value, result)
}

// register is what a name stands for.
type register struct {
	exists bool
	value  string
}

// step is the promise: what an operation does to a name, and whether its answer fits.
func step(state, input, _ any) (bool, any) {
	s, o := state.(register), input.(*Operation)
	if o.Answer == OK && o.Found != s.exists {
		return false, s
	}
	switch o.Verb {
	case Create:
		if !s.exists {
			s = register{true, o.Value}
		}
	case Update:
		if s.exists {
			s.value = o.Value
		}
	case Remove:
		s = register{}
	case Read:
		if o.Answer == OK && s.exists && s.value != o.Value {
			return false, s
		}
	}
	return true, s
}

// checkOperations looks, for each name, for one order of its operations that explains all answers (I7). One with an unknown
// outcome may have taken effect at any time after its start, or never, which is the same as after all the others.
func (c *check) checkOperations() {
	byName := map[string][]*Operation{}
	for _, o := range c.h.records {
		if o.Answer != Refused {
			byName[o.Name] = append(byName[o.Name], o)
		}
	}
	for name, operations := range byName {
		switch porcupine.CheckOperationsTimeout(registerModel(), events(operations), searchLimit) {
		case porcupine.Illegal:
			c.found(Register, "no order explains what was answered about %s:%s", name, tell(operations))
		case porcupine.Unknown:
			c.undecided = append(c.undecided, name)
		}
	}
}

func registerModel() porcupine.Model {
	return porcupine.Model{Init: func() any { return register{} }, Step: step}
}

func events(operations []*Operation) []porcupine.Operation {
	list := make([]porcupine.Operation, 0, len(operations))
	for _, o := range operations {
		if o.Answer == Unknown && o.Verb == Read {
			continue
		}
		end := o.End.UnixNano()
		if o.Answer == Unknown {
			end = math.MaxInt64
		}
		list = append(list, porcupine.Operation{ClientId: o.Worker, Input: o, Call: o.Start.UnixNano(), Return: end})
	}
	return list
}

// tell lists the operations in the order of their starts.
func tell(operations []*Operation) string {
	ordered := slices.SortedFunc(slices.Values(operations), func(a, b *Operation) int { return a.Start.Compare(b.Start) })
	var text strings.Builder
	begin := ordered[0].Start
	for _, o := range ordered {
		fmt.Fprintf(&text, "\n    %8.3f to %8.3f s %s", o.Start.Sub(begin).Seconds(), o.End.Sub(begin).Seconds(), o)
	}
	return text.String()
}

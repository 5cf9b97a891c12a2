package netns

import (
	"context"
	"encoding/binary"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// arrival is a packet, known by the number in it, and when it arrived.
type arrival struct {
	number uint32
	after  time.Duration
}

// inPipe runs f with a pipe in a bubble, where time is virtual. What f returns are the arrivals until now, in order.
func inPipe(t *testing.T, f func(t *testing.T, p *pipe, arrived func() []arrival)) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var got []arrival
		p := newPipe(func(b []byte) {
			got = append(got, arrival{binary.BigEndian.Uint32(b), time.Since(began)})
		}, func([]byte) { t.Error("a packet came back") }, 1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go p.run(ctx)
		f(t, p, func() []arrival {
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			return slices.Clone(got)
		})
		cancel()
	})
}

const packetBytes = 100

func (p *pipe) sendNumbered(n int) {
	packet := make([]byte, packetBytes)
	for i := range n {
		binary.BigEndian.PutUint32(packet, uint32(i))
		p.send(packet) // the same bytes each time: a pipe must not keep them
	}
}

func numbers(as []arrival) (ns []uint32) {
	for _, a := range as {
		ns = append(ns, a.number)
	}
	return ns
}

func TestPipePassesAtOnceInOrder(t *testing.T) {
	inPipe(t, func(t *testing.T, p *pipe, arrived func() []arrival) {
		p.sendNumbered(100)
		got := arrived()
		if len(got) != 100 || !slices.IsSorted(numbers(got)) || got[99].after != 0 {
			t.Errorf("arrived: %v", got)
		}
		if c := p.counters(); c != (Flow{Packets: 100, Bytes: 100 * packetBytes}) {
			t.Errorf("counted %+v", c)
		}
	})
}

func TestPipeDelaysWithoutOvertaking(t *testing.T) {
	inPipe(t, func(t *testing.T, p *pipe, arrived func() []arrival) {
		p.set(Rule{Delay: time.Second})
		p.sendNumbered(100)
		if got := arrived(); len(got) != 0 {
			t.Errorf("arrived at once: %v", got)
		}
		time.Sleep(time.Second)
		got := arrived()
		if len(got) != 100 || !slices.IsSorted(numbers(got)) || got[0].after != time.Second || got[99].after != time.Second {
			t.Errorf("arrived: %v", got)
		}
		if c := p.counters(); c.Late != 100 || c.Overtaken != 0 {
			t.Errorf("counted %+v", c)
		}
	})
}

func TestPipeReordersByJitter(t *testing.T) {
	inPipe(t, func(t *testing.T, p *pipe, arrived func() []arrival) {
		p.set(Rule{Jitter: time.Second})
		p.sendNumbered(100)
		time.Sleep(time.Second)
		got := numbers(arrived())
		if len(got) != 100 || slices.IsSorted(got) {
			t.Errorf("arrived: %v", got)
		}
		if c := p.counters(); c.Overtaken == 0 {
			t.Errorf("counted %+v", c)
		}
	})
}

func TestAnEarlierPacketIsNotWaitedFor(t *testing.T) {
	inPipe(t, func(t *testing.T, p *pipe, arrived func() []arrival) {
		p.set(Rule{Delay: time.Hour})
		p.sendNumbered(1)
		p.set(Rule{Delay: time.Second})
		p.sendNumbered(2)
		time.Sleep(time.Second)
		if got := arrived(); len(got) != 2 {
			t.Errorf("arrived: %v", got)
		}
	})
}

func TestPipeLosesAndDoublesBySeed(t *testing.T) {
	fates := func() (got []uint32) {
		inPipe(t, func(t *testing.T, p *pipe, arrived func() []arrival) {
			p.set(Rule{Loss: 0.2, Double: 0.1})
			p.sendNumbered(1000)
			got = numbers(arrived())
			c := p.counters()
			if c.Lost < 100 || c.Lost > 300 || c.Doubled < 40 || c.Doubled > 160 {
				t.Errorf("counted %+v", c)
			}
			if c.Packets != 1000-c.Lost+c.Doubled || len(got) != int(c.Packets) {
				t.Errorf("%d arrived, counted %+v", len(got), c)
			}
		})
		return got
	}
	if !slices.Equal(fates(), fates()) {
		t.Error("the same seed chose other packets")
	}
}

func TestSlowPipeCarriesItsRateAndLosesTheRest(t *testing.T) {
	inPipe(t, func(t *testing.T, p *pipe, arrived func() []arrival) {
		const rate = 10 * packetBytes
		p.set(Rule{BytesPerSecond: rate})
		p.sendNumbered(2000)
		c := p.counters()
		if kept := uint64(waitingBytes/packetBytes + 1); c.Late != kept || c.Overflown != 2000-kept {
			t.Errorf("counted %+v, want %d kept", c, kept)
		}
		time.Sleep(time.Minute)
		if got := arrived(); len(got) != 600 || got[0].after != 100*time.Millisecond {
			t.Errorf("%d packets arrived in a minute", len(got))
		}
	})
}

func TestCutTakesWhatIsUnderway(t *testing.T) {
	inPipe(t, func(t *testing.T, p *pipe, arrived func() []arrival) {
		p.set(Rule{Delay: time.Second})
		p.sendNumbered(10)
		p.set(Rule{Cut: true})
		p.sendNumbered(5)
		time.Sleep(time.Minute)
		if got := arrived(); len(got) != 0 {
			t.Errorf("arrived: %v", got)
		}
		p.set(Rule{})
		p.sendNumbered(1)
		if got := arrived(); len(got) != 1 {
			t.Errorf("arrived after the cut: %v", got)
		}
		if c := p.counters(); c.Cut != 15 || c.Packets != 1 {
			t.Errorf("counted %+v", c)
		}
	})
}

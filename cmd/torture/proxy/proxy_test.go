package proxy

import (
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"
)

func TestPassesBothDirectionsAndTheirEnds(t *testing.T) {
	b := newBench(t)
	b.send(b.client, "question")
	b.expect(b.server, "question")
	check(t, b.client.CloseWrite())
	b.expectEnd(b.server)
	b.send(b.server, "the answer")
	b.expect(b.client, "the answer")
	check(t, b.server.Close())
	b.expectEnd(b.client)
	eventually(t, "the connection is forgotten", func() bool { return b.Open() == 0 })
	want := Counters{Accepted: 1, Requests: Flow{Bytes: 8}, Responses: Flow{Bytes: 10}}
	if got := b.Counters(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestManyBytesArriveInOrderUnderJitter(t *testing.T) {
	b := newBench(t)
	b.Set(Late(20*time.Millisecond, 2*time.Millisecond))
	want := make([]byte, 1<<20)
	chance := rand.NewChaCha8([32]byte{})
	_, err := chance.Read(want)
	check(t, err)
	go func() {
		_, _ = b.client.Write(want) // what is missing shows below
		_ = b.client.CloseWrite()
	}()
	got, err := io.ReadAll(b.server)
	check(t, err)
	if !slices.Equal(got, want) {
		t.Error("other bytes arrived than were sent")
	}
	if c := b.Counters().Requests; c.Bytes != uint64(len(want)) || c.Delayed == 0 {
		t.Errorf("counted %+v", c)
	}
}

func TestDelayIsAddedToEachDirection(t *testing.T) {
	const delay = 30 * time.Millisecond
	b := newBench(t)
	b.Set(Late(delay, 0))
	began := time.Now()
	b.send(b.client, "q")
	b.expect(b.server, "q")
	if d := time.Since(began); d < delay {
		t.Errorf("the request took %s", d)
	}
	b.send(b.server, "a")
	b.expect(b.client, "a")
	if d := time.Since(began); d < 2*delay {
		t.Errorf("the round trip took %s", d)
	}
	if c := b.Counters(); c.Requests.Delayed != 1 || c.Responses.Delayed != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestSlowLinkIsSharedByItsConnections(t *testing.T) {
	const bytes, perSecond = 8 << 10, 64 << 10
	b := newBench(t)
	b.Set(Slow(perSecond))
	first := b.server
	began := time.Now()
	b.send(b.client, string(make([]byte, bytes)))
	b.connect()
	b.send(b.client, string(make([]byte, bytes)))
	b.expect(first, string(make([]byte, bytes)))
	b.expect(b.server, string(make([]byte, bytes)))
	if d, want := time.Since(began), 2*bytes*time.Second/perSecond; d < want {
		t.Errorf("%d bytes took %s, want %s", 2*bytes, d, want)
	}
}

func TestAFasterRuleFreesWhatWaits(t *testing.T) {
	for _, slow := range []Rule{{Delay: time.Hour}, {BytesPerSecond: 1}} {
		b := newBench(t)
		b.Set(slow, Rule{})
		b.send(b.client, "an hour and more")
		eventually(t, "the request waits", func() bool { return b.Counters().Requests.Delayed == 16 })
		b.Pass()
		b.expect(b.server, "an hour and more")
	}
}

func TestTheSameRuleAgainDoesNotDelayFurther(t *testing.T) {
	b := newBench(t)
	requests, responses := Slow(64 << 10)
	b.Set(requests, responses)
	b.send(b.client, string(make([]byte, 4<<10)))
	arrived := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(b.server, make([]byte, 4<<10))
		arrived <- err
	}()
	for {
		select {
		case err := <-arrived:
			check(t, err)
			return
		default:
			b.Set(requests, responses)
		}
	}
}

func TestHeldBytesArriveWhenTheHoldEnds(t *testing.T) {
	b := newBench(t)
	b.Set(HalfOpen())
	b.send(b.client, "question")
	b.send(b.server, "answer")
	eventually(t, "both are held", func() bool {
		c := b.Counters()
		return c.Requests.Held == 8 && c.Responses.Held == 6
	})
	if c := b.Counters(); c.Requests.Bytes != 0 || c.Responses.Bytes != 0 {
		t.Errorf("bytes came through: %+v", c)
	}
	b.Pass()
	b.expect(b.server, "question")
	b.expect(b.client, "answer")
}

func TestHalfOpenHidesThatTheOtherSideHasGone(t *testing.T) {
	b := newBench(t)
	b.Set(HalfOpen())
	check(t, b.client.SetLinger(0))
	check(t, b.client.Close())
	b.send(b.server, "anybody there?")
	eventually(t, "the answer is held", func() bool { return b.Counters().Responses.Held == 14 })
	if b.Open() != 1 || b.Counters().Reset != 0 {
		t.Error("the server's connection ended with the client's")
	}
	b.Pass()
	b.expectReset(b.server)
}

func TestLostResponsesKeepTheConnection(t *testing.T) {
	b := newBench(t)
	b.Set(Lost(false))
	b.send(b.client, "question")
	b.expect(b.server, "question")
	b.send(b.server, "answer")
	eventually(t, "the answer is dropped", func() bool { return b.Counters().Responses.Dropped == 6 })
	b.send(b.client, "again")
	b.expect(b.server, "again")
	b.send(b.server, "more")
	eventually(t, "so is the next", func() bool { return b.Counters().Responses.Dropped == 10 })
	if c := b.Counters(); c.Responses.Cut != 1 || c.Responses.Bytes != 0 || c.Reset != 0 {
		t.Errorf("counted %+v", c)
	}
	b.Pass()
	b.expectReset(b.client) // a later answer would have been taken for the lost one
	if c := b.Counters(); c.Reset != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestLostResponsesResetTheConnection(t *testing.T) {
	b := newBench(t)
	b.Set(Lost(true))
	b.send(b.client, "question")
	b.expect(b.server, "question")
	b.send(b.server, "answer")
	b.expectReset(b.client)
	b.expectReset(b.server)
	if c := b.Counters(); c.Responses != (Flow{Dropped: 6, Cut: 1}) || c.Reset != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestOneWayCutLetsTheOtherWayPass(t *testing.T) {
	b := newBench(t)
	b.Set(Rule{Hold: true}, Rule{})
	b.send(b.client, "question")
	b.send(b.server, "hello")
	b.expect(b.client, "hello")
	eventually(t, "the request is held", func() bool { return b.Counters().Requests.Held == 8 })
	if c := b.Counters(); c.Requests.Bytes != 0 {
		t.Errorf("counted %+v", c)
	}
}

func TestCutResetsOpenConnections(t *testing.T) {
	b := newBench(t)
	if n := b.Cut(); n != 1 {
		t.Errorf("%d connections were cut", n)
	}
	b.expectReset(b.client)
	b.expectReset(b.server)
	b.connect()
	b.send(b.client, "again")
	b.expect(b.server, "again")
}

func TestRefuseTouchesOnlyNewConnections(t *testing.T) {
	b := newBench(t)
	b.Refuse(true)
	b.expectNoConnection()
	b.send(b.client, "still here")
	b.expect(b.server, "still here")
	b.Pass()
	b.connect()
	if c := b.Counters(); c.Refused != 1 || c.Accepted != 2 {
		t.Errorf("counted %+v", c)
	}
}

func TestAnUnreachableTargetResets(t *testing.T) {
	b := newBench(t)
	check(t, b.listener.Close())
	b.expectNoConnection()
	if c := b.Counters(); c.Unreachable != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	for _, r := range []Rule{{}, {Hold: true}, {Drop: true}, {Delay: time.Hour}} {
		b := newBench(t)
		b.Set(r, r)
		b.send(b.client, "question")
		check(t, b.Close())
		if b.Open() != 0 {
			t.Error("a connection is open")
		}
		b.expectReset(b.client)
		if _, err := net.Dial("tcp", b.Addr()); err == nil {
			t.Error("the proxy still listens")
		}
	}
}

func TestJitterFollowsFromTheSeed(t *testing.T) {
	draw := func(seed uint64) (lucks []float64) {
		l := newLane(seed, 1)
		for range 8 {
			lucks = append(lucks, l.newChunk(nil, goesOn).luck)
		}
		return lucks
	}
	if !slices.Equal(draw(7), draw(7)) || slices.Equal(draw(7), draw(8)) {
		t.Error("the same seed must draw the same, another one must not")
	}
}

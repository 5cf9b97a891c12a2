package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
)

const (
	chunkBytes = 16 << 10
	// chunksUnderway is how many chunks of one direction of a connection may be late. With more, the reader stops and the
	// sender's socket fills, as it would on a long or a dead link.
	chunksUnderway = 64
)

// link is one connection through the proxy.
type link struct {
	proxy          *Proxy
	client, server *net.TCPConn
	done           chan struct{} // closed by end
	once           sync.Once
}

// run carries both directions until the connection ends.
func (k *link) run() {
	var both sync.WaitGroup
	both.Go(func() { k.carry(k.client, k.server, k.proxy.requests, k.proxy.responses) })
	both.Go(func() { k.carry(k.server, k.client, k.proxy.responses, k.proxy.requests) })
	both.Wait()
	k.end(false)
}

// end closes both sides, with a reset if so wanted.
func (k *link) end(reset bool) {
	k.once.Do(func() {
		if reset {
			k.proxy.counters.reset.Add(1)
		}
		close(k.done)
		closeConn(k.client, reset)
		closeConn(k.server, reset)
	})
}

// closeConn gives up a connection. Its errors say no more than that the other side was faster.
func closeConn(c *net.TCPConn, reset bool) {
	if reset {
		_ = c.SetLinger(0)
	}
	_ = c.Close()
}

// carry moves one direction from src to dst over lane; back is the lane of the other direction.
func (k *link) carry(src, dst *net.TCPConn, lane, back *lane) {
	underway := make(chan chunk, chunksUnderway)
	var reader sync.WaitGroup
	reader.Go(func() { k.read(src, lane, underway) })
	k.write(dst, lane, back, underway)
	reader.Wait()
}

// read puts what src sends on its way until src or the connection ends.
func (k *link) read(src *net.TCPConn, lane *lane, underway chan<- chunk) {
	b := make([]byte, chunkBytes)
	for end := goesOn; end == goesOn; {
		n, err := src.Read(b)
		switch {
		case errors.Is(err, io.EOF):
			end = finished
		case err != nil:
			end = broken
		}
		select {
		case underway <- lane.newChunk(bytes.Clone(b[:n]), end):
		case <-k.done:
			return
		}
	}
}

// write delivers what is underway, when its time has come, until the stream or the connection ends.
func (k *link) write(dst *net.TCPConn, lane, back *lane, underway <-chan chunk) {
	for {
		var c chunk
		select {
		case c = <-underway:
		case <-k.done:
			return
		}
		switch lane.decide(c, k.done) {
		case forget:
			return
		case swallow:
			k.swallow(lane, c, underway)
			return
		}
		if _, err := dst.Write(c.bytes); err != nil || c.end == broken {
			// That dst has gone is news that travels in the other direction.
			if c.end == broken || back.opens(k.done) {
				k.end(true)
			}
			return
		}
		lane.flow.bytes.Add(uint64(len(c.bytes)))
		if c.end == finished {
			if err := dst.CloseWrite(); err != nil && back.opens(k.done) {
				k.end(true)
			}
			return
		}
	}
}

// swallow is the rest of a direction that has lost c: silence, and a reset as soon as the rule is another one.
func (k *link) swallow(lane *lane, c chunk, underway <-chan chunk) {
	lane.flow.cut.Add(1)
	lane.flow.dropped.Add(uint64(len(c.bytes)))
	for {
		rule, changed := lane.current()
		if !rule.Drop || rule.Reset {
			k.end(true)
			return
		}
		select {
		case c := <-underway:
			lane.flow.dropped.Add(uint64(len(c.bytes)))
		case <-changed:
		case <-k.done:
			return
		}
	}
}

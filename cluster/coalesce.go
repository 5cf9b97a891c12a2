package cluster

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	maxEntryCommands = 512
	maxEntryBytes    = 512 << 10 // raft's own suggestion (raft.SuggestedMaxDataSize)
	maxInFlight      = 2         // entries between Apply and its result
	maxQueuedBytes   = 64 << 20  // commands waiting for their turn
	commandOverhead  = 256       // what a waiting command costs beside its bytes
	enqueueLimit     = time.Second
)

// proposal is one encoded command on its way into the log. Done is called exactly once, on a goroutine that must not be
// held up.
type proposal struct {
	data []byte
	done func(*fsmpb.Result, *Error)
}

// coalescer turns the commands of many callers into few log entries: it takes whatever is waiting, up to a limit, as one
// entry, as soon as nothing is in flight, or one entry of which as much waits. An entry costs far more than a command in it;
// a second one in flight is stored while the first is applied. There is no timer: without load nobody waits.
// One goroutine (run) takes from the queue, so entries enter raft in the order in which commands came.
type coalescer struct {
	apply func(data []byte, timeout time.Duration) raft.ApplyFuture
	stamp func() int64  // time for the entry
	after func(error)   // called with the outcome of each entry
	limit time.Duration // how long callers wait for an entry before they are told "unknown"
	turn  *sync.Cond    // there may be something to propose, or the end; uses mu
	idle  *sync.Cond    // the queue and the entries in flight may have become empty; uses mu
	m     *Metrics

	mu       sync.Mutex
	queue    []proposal
	bytes    int
	inFlight int  // entries
	flying   int  // commands in them
	pending  int  // commands that have no result yet
	paused   bool // draining: refuse what comes
	closed   bool
	entries  uint64 // proposed so far
	commands uint64 // in them
}

func newCoalescer(apply func([]byte, time.Duration) raft.ApplyFuture, stamp func() int64, after func(error), limit time.Duration, m *Metrics) *coalescer {
	c := &coalescer{
		apply: apply, stamp: stamp, after: after, limit: limit, m: m,
	}
	c.turn, c.idle = sync.NewCond(&c.mu), sync.NewCond(&c.mu)
	go c.run()
	return c
}

// submit queues a command. It never blocks.
func (c *coalescer) submit(p proposal) {
	if err := c.enqueue(p); err != nil {
		c.m.proposalsFailed.Inc()
		p.done(nil, err)
	}
}

func (c *coalescer) enqueue(p proposal) *Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused || c.closed {
		return errNotLeader("this node hands over its leadership")
	}
	if c.bytes+len(p.data)+commandOverhead > maxQueuedBytes {
		return &Error{
			Code:       CodeOverloaded,
			Detail:     "The leader has as many commands waiting as it may; send less at once and try again.",
			RetryAfter: time.Second,
		}
	}
	c.bytes += len(p.data) + commandOverhead
	c.pending++
	c.queue = append(c.queue, p)
	if c.mayPropose() {
		c.turn.Signal()
	}
	return nil
}

// mayPropose says whether what waits is to be the next entry.
func (c *coalescer) mayPropose() bool {
	waiting := len(c.queue)
	switch {
	case waiting == 0 || c.inFlight >= maxInFlight:
		return false
	case c.inFlight == 0 || waiting >= maxEntryCommands || c.bytes >= maxEntryBytes:
		return true
	default:
		return waiting >= c.flying
	}
}

func (c *coalescer) run() {
	for {
		batch := c.take()
		if batch == nil {
			return
		}
		c.propose(batch)
	}
}

// take waits for the turn of the next entry and removes its commands from the queue: at least one, and no more than the
// limits allow. After close there are none.
func (c *coalescer) take() []proposal {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.mayPropose() && !c.closed {
		c.turn.Wait()
	}
	if c.closed {
		return nil
	}
	n, size := 0, 0
	for n < len(c.queue) && n < maxEntryCommands && (n == 0 || size+len(c.queue[n].data) <= maxEntryBytes) {
		size += len(c.queue[n].data)
		n++
	}
	batch := c.queue[:n:n]
	c.queue = c.queue[n:]
	if len(c.queue) == 0 {
		c.queue = nil // the batch owns the memory now
	}
	c.bytes -= size + n*commandOverhead
	c.inFlight++
	c.flying += n
	c.entries++
	c.commands += uint64(n)
	return batch
}

// propose hands one entry to raft and waits for its result elsewhere.
func (c *coalescer) propose(batch []proposal) {
	c.m.entryCommands.Observe(float64(len(batch)))
	began := time.Now()
	future := c.apply(encodeEntry(c.stamp(), batch), enqueueLimit)
	var once sync.Once
	timer := time.AfterFunc(c.limit, func() {
		once.Do(func() { c.fail(batch, errUnknown("the entry was not committed in time")) })
	})
	go func() {
		err := future.Error()
		c.landed(len(batch))
		timer.Stop()
		if err != nil {
			once.Do(func() { c.fail(batch, translate(err)) })
		} else {
			c.m.commitSeconds.Observe(time.Since(began).Seconds())
			results, _ := future.Response().([]*fsmpb.Result)
			once.Do(func() { answer(batch, results, nil) })
		}
		clear(batch) // its memory is that of the queue, which may live on
		c.finish(len(batch))
		c.after(err)
	}()
}

func answer(batch []proposal, results []*fsmpb.Result, err *Error) {
	if err == nil && len(results) != len(batch) {
		err = errUnknown("the entry has no result on this node")
	}
	for i, p := range batch {
		if err != nil {
			p.done(nil, err)
		} else {
			p.done(results[i], nil)
		}
	}
}

// fail answers the commands of an entry that did not get into the state, or of which nobody knows.
func (c *coalescer) fail(batch []proposal, err *Error) {
	c.m.proposalsFailed.Add(float64(len(batch)))
	answer(batch, nil, err)
}

// landed makes room for the next entry, before the results of this one are handed out.
func (c *coalescer) landed(commands int) {
	c.mu.Lock()
	c.inFlight--
	c.flying -= commands
	c.turn.Signal()
	c.mu.Unlock()
}

func (c *coalescer) finish(commands int) {
	c.mu.Lock()
	c.pending -= commands
	c.idle.Broadcast()
	c.mu.Unlock()
}

// pause refuses new commands from now on.
func (c *coalescer) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = true
}

// settle returns after pause when all earlier commands have their results, or when there is no pause any more.
func (c *coalescer) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.paused && !c.closed && c.pending > 0 {
		c.idle.Wait()
	}
}

// resume takes commands again after pause.
func (c *coalescer) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = false
	c.idle.Broadcast()
}

// close refuses everything that is still queued. Entries in flight get their results from raft.
func (c *coalescer) close() {
	c.mu.Lock()
	queue := c.queue
	c.queue, c.closed = nil, true
	c.pending -= len(queue)
	c.turn.Signal()
	c.idle.Broadcast()
	c.mu.Unlock()
	c.fail(queue, errNotLeader("this node is stopping"))
}

// counts are the entries proposed so far and the commands in them.
func (c *coalescer) counts() (entries, commands uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries, c.commands
}

// waiting is how many commands have no result yet.
func (c *coalescer) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending
}

// encodeEntry is the encoding of fsmpb.Entry, made in one piece from commands that are encoded already.
func encodeEntry(nowMS int64, batch []proposal) []byte {
	size := 16
	for _, p := range batch {
		size += len(p.data) + 8
	}
	b := make([]byte, 0, size)
	b = protowire.AppendTag(b, 2, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(nowMS))
	for _, p := range batch {
		b = protowire.AppendTag(b, 3, protowire.BytesType)
		b = protowire.AppendBytes(b, p.data)
	}
	return b
}

package cluster

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	// entryLimit is how long a caller waits for its entry before the answer is "unknown".
	entryLimit = 5 * time.Second
	// transferStuck is how long raft may refuse writes for a leadership transfer before the process restarts:
	// raft#696, the flag that it sets may never be cleared.
	transferStuck = 2 * time.Second
)

// leadership is what a node does while it leads in one term. It begins when a tick of the term was applied, so that
// everything committed before is applied too, and ends with the term.
type leadership struct {
	r       *replica
	term    uint64
	clock   *clock
	writes  *coalescer
	waiters *waiters
	rounds  rounds
	due     chan struct{} // something was applied: the next due time may have changed
	refused transferWatch
	touches keyTouches
	ctx     context.Context
	end     context.CancelFunc

	handover sync.Mutex // held while this node tries to hand over
	changing sync.Mutex // held from looking at who belongs to the cluster until that is changed

	woken  chan struct{} // toWake is not empty
	wakeMu sync.Mutex
	toWake map[string]bool // queues that have something ready, for waiters
}

// lead begins a term. It fails when the term ends first.
func (r *replica) lead(ctx context.Context) (*leadership, error) {
	l := &leadership{r: r, term: r.raft.CurrentTerm(), due: make(chan struct{}, 1), woken: make(chan struct{}, 1), toWake: map[string]bool{}}
	l.ctx, l.end = context.WithCancel(ctx)
	l.rounds.ask = l.majority
	target, certain, err := l.sampleClocks()
	if err != nil {
		l.end()
		return nil, err
	}
	if m := r.agreed.Load(); m != nil && !certain {
		target = m.read(time.Now()).UnixMilli()
	}
	l.clock = newClock(r.fsm.Now(), target)
	if err := l.firstTick(); err != nil {
		l.end()
		return nil, err
	}
	l.writes = newCoalescer(r.raft.Apply, l.clock.stamp, l.applied, entryLimit, r.config.Metrics)
	l.waiters = newWaiters(l.readyMessages, l.proposeReceive)
	go l.tickWhenDue()
	go l.steerClock()
	go l.wakeWaiters()
	return l, nil
}

// firstTick applies a tick of this term. Whatever was committed in earlier terms is applied before it.
func (l *leadership) firstTick() error {
	tick := []proposal{{data: encodeCommand(&fsmpb.Command{Op: &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}})}}
	for {
		err := l.wait(l.r.raft.Apply(encodeEntry(l.clock.stamp(), tick), enqueueLimit))
		l.watchTransfer(err)
		if !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
	}
}

// wait is the outcome of an entry, or that of the term if it ends first: what raft has in its buffer when it is shut down
// is never answered, and a node that stops would wait for it for ever.
func (l *leadership) wait(entry raft.ApplyFuture) error {
	done := make(chan error, 1)
	go func() { done <- entry.Error() }()
	select {
	case err := <-done:
		return err
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
}

// watchTransfer starts the process again when raft refuses writes for a leadership transfer that does not end.
func (l *leadership) watchTransfer(err error) {
	if l.refused.stuck(time.Now(), err) {
		l.r.config.Restart("raft refuses writes for a leadership transfer that does not end (raft#696)")
	}
}

// transferWatch notices when entries have been refused for a leadership transfer, and nothing else happened, for longer
// than transferStuck.
type transferWatch struct {
	mu    sync.Mutex
	since time.Time // of the first refusal in a row
}

func (w *transferWatch) stuck(now time.Time, err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		w.since = time.Time{}
		return false
	}
	if w.since.IsZero() {
		w.since = now
	}
	return now.Sub(w.since) > transferStuck
}

// close ends the term: nothing is answered from it any more.
func (l *leadership) close() {
	l.end()
	l.waiters.close()
	l.writes.close()
}

// applied follows every entry of this term.
func (l *leadership) applied(err error) {
	l.watchTransfer(err)
	select {
	case l.due <- struct{}{}:
	default:
	}
}

// wakeSoon passes on, from raft's FSM goroutine, which queues have something ready. It must not block.
func (l *leadership) wakeSoon(queues []string) {
	if !l.waiters.any() {
		return
	}
	l.wakeMu.Lock()
	for _, queue := range queues {
		l.toWake[queue] = true
	}
	l.wakeMu.Unlock()
	select {
	case l.woken <- struct{}{}:
	default: // wakeWaiters has not seen the last one yet
	}
}

func (l *leadership) wakeWaiters() {
	for {
		select {
		case <-l.woken:
		case <-l.ctx.Done():
			return
		}
		l.wakeMu.Lock()
		queues := l.toWake
		l.toWake = map[string]bool{}
		l.wakeMu.Unlock()
		for queue := range queues {
			l.waiters.wake(queue)
		}
	}
}

// readyMessages is what waiters look at. Of a queue that does not exist everybody may have something: the refusal.
func (l *leadership) readyMessages(queue string) int64 {
	n, ok := l.r.fsm.ReadyMessages(queue)
	if !ok {
		return math.MaxInt32
	}
	return n
}

// tickWhenDue proposes a tick when a lease or a delay ends and no other entry came to carry the time. It proposes
// nothing while nothing is due.
func (l *leadership) tickWhenDue() {
	tick := encodeCommand(&fsmpb.Command{Op: &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}})
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.due:
		case <-timer.C:
		}
		wait := time.Duration(min(l.r.fsm.NextDue()-l.clock.stamp(), time.Hour.Milliseconds())) * time.Millisecond
		if wait <= 0 {
			applied := make(chan *Error, 1)
			l.writes.submit(proposal{data: tick, done: func(_ *fsmpb.Result, err *Error) { applied <- err }})
			wait = time.Millisecond
			if err := <-applied; err != nil {
				wait = retryPause
			}
		}
		timer.Reset(wait)
	}
}

// steerClock follows the wall clocks of the members.
func (l *leadership) steerClock() {
	ticker := time.NewTicker(clockSample)
	defer ticker.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-ticker.C:
			if target, certain, err := l.sampleClocks(); err == nil && certain {
				l.clock.steer(target)
			}
		}
	}
}

// sampleClocks judges the wall clocks of all voters that answer within clockWait, at least a majority, as they are now.
func (l *leadership) sampleClocks() (target int64, certain bool, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, roundLimit)
	defer cancel()
	clocks, complete, failure := l.askVoters(ctx, clockWait)
	if failure != nil {
		return 0, false, failure
	}
	if apart := spread(clocks); apart > clockAlarm.Milliseconds() {
		l.r.log.Warn("clocks of members differ; check their time synchronisation", "milliseconds", apart)
	}
	target, certain = judgeClocks(clocks, complete)
	return target, certain, nil
}

// majority is one read round.
func (l *leadership) majority(ctx context.Context) *Error {
	_, _, err := l.askVoters(ctx, 0)
	return err
}

// askVoters asks all voters for their terms and returns what the wall clocks of a majority that has none newer show at the
// end. It waits up to extra for the answers of the others, too.
func (l *leadership) askVoters(ctx context.Context, extra time.Duration) (clocks []int64, complete bool, failure *Error) {
	voters := l.r.voters()
	answers := make(chan *moment, len(voters))
	var heard []moment
	asked := 0
	for _, id := range voters {
		if id == l.r.id {
			heard = append(heard, moment{at: time.Now(), ms: l.r.config.Wall().UnixMilli()})
			continue
		}
		asked++
		go func() { answers <- l.askVoter(ctx, id) }()
	}
	enough := make(<-chan time.Time)
	if extra > 0 {
		enough = time.After(extra)
	}
	for late := false; asked > 0 && (len(heard) <= len(voters)/2 || extra > 0 && !late); {
		select {
		case a := <-answers:
			asked--
			if a != nil {
				heard = append(heard, *a)
			}
		case <-enough:
			late = true
		}
	}
	if len(heard) <= len(voters)/2 || l.r.raft.State() != raft.Leader || l.r.raft.CurrentTerm() != l.term {
		return nil, false, errNotLeader("a majority of the voters did not confirm that this node leads")
	}
	now := time.Now()
	for _, m := range heard {
		clocks = append(clocks, m.read(now).UnixMilli())
	}
	return clocks, len(clocks) == len(voters), nil
}

// askVoter returns a voter's clock if it answers and has no newer term.
func (l *leadership) askVoter(ctx context.Context, id string) *moment {
	asked, wall := time.Now(), l.r.config.Wall().UnixMilli()
	resp, err := l.r.port.Call(ctx, id, &clusterpb.Request{Op: &clusterpb.Request_ReadRound{ReadRound: &clusterpb.ReadRound{Term: l.term}}})
	a := resp.GetReadRound()
	if err != nil || a == nil || a.Term > l.term {
		return nil
	}
	return readBetween(asked, time.Since(asked), wall, a.WallMs)
}

// receive answers a receive, now or when there is something for it. Only one that will find something is proposed, or one
// of which the state may remember what it has taken.
func (l *leadership) receive(x *waiter) {
	switch {
	case x.certain:
		l.waiters.force(x)
	case l.waiters.take(x):
	case l.mustPropose():
		l.waiters.force(x)
	case time.Until(x.until) > 0:
		l.park(x)
	default:
		l.answerEmpty(x)
	}
}

func (l *leadership) park(x *waiter) {
	if err := l.waiters.park(x, l.answerEmpty); err != nil {
		x.respond(nil, err)
	}
}

// mustPropose tells whether the state machine has to decide although nothing is ready: leases and delays have ended that
// no entry has carried into the state yet.
func (l *leadership) mustPropose() bool { return l.r.fsm.NextDue() <= l.clock.stamp() }

// answerEmpty says that there is nothing, once it is certain that this was true after the receive had begun.
func (l *leadership) answerEmpty(x *waiter) {
	l.rounds.join(func(err *Error) {
		if err != nil {
			x.respond(nil, err)
			return
		}
		// What is ready counts here even if earlier receives are about to take it: the published count may be lower by
		// what they took while they still count as taking it.
		if l.readyMessages(x.queue) > 0 || l.mustPropose() {
			l.waiters.force(x)
			return
		}
		check := &fsmpb.Query{Principal: x.principal, Op: &fsmpb.Query_CheckPrincipal{CheckPrincipal: &fsmpb.CheckPrincipal{}}}
		checked := l.r.fsm.Query(check)
		if l.ctx.Err() != nil {
			x.respond(nil, errNotLeader("the leader changed"))
			return
		}
		l.noteUse(x.principal, checked)
		x.respond(&fsmpb.Result{Error: checked.Error, Value: &fsmpb.Result_Receive{Receive: &fsmpb.ReceiveResult{}}}, nil)
	})
}

// proposeReceive proposes a receive that was counted as taking messages. Deletes that come with it are made with the first
// proposal, and not again if it has to wait for messages.
func (l *leadership) proposeReceive(x *waiter) {
	l.writes.submit(proposal{data: x.data, done: func(result *fsmpb.Result, err *Error) {
		l.waiters.finished(x, err == nil)
		nothing := err == nil && result.Error == nil && len(result.GetReceive().GetDeliveries()) == 0
		if nothing && time.Until(x.until) > 0 && !x.ended.Load() {
			l.park(x) // another receive was faster
			return
		}
		x.respond(result, err)
	}})
}

// read answers a query from the state after a round.
func (l *leadership) read(q *fsmpb.Query, respond func(*fsmpb.QueryResult, *Error)) {
	l.rounds.join(func(err *Error) {
		if err != nil {
			respond(nil, err)
			return
		}
		result := l.r.fsm.Query(q)
		if l.ctx.Err() != nil { // the state may have been closed under the query
			respond(nil, errNotLeader("the leader changed"))
			return
		}
		l.noteUse(q.Principal, result)
		respond(result, nil)
	})
}

// encodeCommand renders a command. All strings in it were checked to be UTF-8 before, the only thing that can fail.
func encodeCommand(c *fsmpb.Command) []byte {
	b, err := proto.Marshal(c)
	if err != nil {
		panic(err)
	}
	return b
}

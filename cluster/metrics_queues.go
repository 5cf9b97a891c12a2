package cluster

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	// maxQueueSeries is how many queues have series of their own, the first ones by name: a monitoring system keeps every
	// name that it ever saw. The rest is summed up.
	maxQueueSeries = 1_000
	otherQueues    = "_other"
	queuePage      = 1_000 // queues read at a time
)

// queueCollector reads from this node's copy of the state what the queues hold. Every node shows the same, as far as it has
// applied the log; only the leader knows who waits.
type queueCollector struct {
	n     *Node
	match func(queue string) bool // nil: all

	messages, oldest, limit, waiters *prometheus.Desc
}

func newQueueCollector(n *Node, match func(string) bool) *queueCollector {
	return &queueCollector{
		n: n, match: match,
		messages: desc("queue_messages", "Messages in a queue: visible (can be received), in_flight (leased) or delayed.", "queue", "state"),
		oldest:   desc("queue_oldest_message_age_seconds", "Since when the oldest message of a queue was sent; 0 without messages.", "queue"),
		limit:    desc("queue_limit_messages", "How many messages a queue may hold.", "queue"),
		waiters:  desc("queue_waiters", "Receives that wait for messages of a queue. On the leader only.", "queue"),
	}
}

// QueueMetrics are the families of the queues, for those whose names match. The rule for the number of series holds among
// them, so that every queue can be seen.
func (n *Node) QueueMetrics(match func(queue string) bool) prometheus.Collector {
	return newQueueCollector(n, match)
}

// Describe implements prometheus.Collector.
func (c *queueCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.messages, c.oldest, c.limit, c.waiters} {
		out <- d
	}
}

// queueSum is what is shown of a queue, or of several together.
type queueSum struct{ visible, inFlight, delayed, limit, waiters uint64 }

func (s *queueSum) add(q *fsmpb.QueueInfo, waiters int) {
	s.visible += q.GetReady()
	s.inFlight += q.GetLeased()
	s.delayed += q.GetDelayed()
	s.limit += q.GetSettings().GetMaxLength()
	s.waiters += uint64(waiters)
}

// Collect implements prometheus.Collector.
func (c *queueCollector) Collect(out chan<- prometheus.Metric) {
	r := c.n.replica.Load()
	if r == nil {
		return
	}
	var waiting map[string]int
	leads := false
	if l := r.leadership.Load(); l != nil {
		waiting, leads = l.waiters.waiting(), true
	}
	v := r.fsm.View()
	defer v.Close()
	shown, summed := 0, 0
	var others queueSum
	after, more := "", true
	for more {
		var page []*fsmpb.QueueInfo
		page, more = v.Queues(after, queuePage)
		for _, q := range page {
			after = q.GetName()
			switch {
			case c.match != nil && !c.match(q.GetName()):
			case shown < maxQueueSeries && q.GetName() != otherQueues: // that is a name that a queue may have
				var s queueSum
				s.add(q, waiting[q.GetName()])
				c.show(out, q.GetName(), s, leads)
				gauge(out, c.oldest, c.age(v, q), q.GetName())
				shown++
			default:
				others.add(q, waiting[q.GetName()])
				summed++
			}
		}
	}
	if summed > 0 {
		c.show(out, otherQueues, others, leads)
	}
}

func (c *queueCollector) show(out chan<- prometheus.Metric, queue string, s queueSum, leads bool) {
	gauge(out, c.messages, float64(s.visible), queue, "visible")
	gauge(out, c.messages, float64(s.inFlight), queue, "in_flight")
	gauge(out, c.messages, float64(s.delayed), queue, "delayed")
	gauge(out, c.limit, float64(s.limit), queue)
	if leads {
		gauge(out, c.waiters, float64(s.waiters), queue)
	}
}

// age looks for the oldest message only where there is one.
func (c *queueCollector) age(v *fsm.View, q *fsmpb.QueueInfo) float64 {
	if q.GetReady()+q.GetLeased()+q.GetDelayed() == 0 {
		return 0
	}
	oldest := v.Queue(q.GetName()).GetOldestMs()
	if oldest == 0 {
		return 0
	}
	return max(0, c.n.config.Wall().Sub(time.UnixMilli(oldest)).Seconds())
}

// waiting counts the parked receives of each queue that has some.
func (w *waiters) waiting() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := make(map[string]int, len(w.queues))
	for name, q := range w.queues {
		if n := q.parked.Len(); n > 0 {
			counts[name] = n
		}
	}
	return counts
}

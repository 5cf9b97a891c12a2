package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// UnderWay is how many requests were sent and are not answered, polls left out.
func (l *Load) UnderWay() int64 { return l.underWay.Load() }

// WaitUnderWay returns at a moment when at least n requests are under way.
func (l *Load) WaitUnderWay(ctx context.Context, n int64) error {
	return nodes.Until(ctx, nodes.Patience, fmt.Sprintf("%d requests under way", n), func() error {
		if now := l.UnderWay(); now < n {
			return fmt.Errorf("%d under way", now)
		}
		return nil
	})
}

// WaitAcknowledged waits until so many more sends and deletes were acknowledged.
func (l *Load) WaitAcknowledged(ctx context.Context, sends, deletes int) error {
	sendsBefore, deletesBefore := l.history.Acknowledged()
	return nodes.Until(ctx, 2*nodes.Patience, "the load goes on", func() error {
		s, d := l.history.Acknowledged()
		if s-sendsBefore >= sends && d-deletesBefore >= deletes {
			return nil
		}
		return fmt.Errorf("%d sends and %d deletes acknowledged", s-sendsBefore, d-deletesBefore)
	})
}

// WaitWriteAfter waits until a send that began after the given time was acknowledged.
func (l *Load) WaitWriteAfter(ctx context.Context, t time.Time) error {
	return l.WaitWriteWithin(ctx, nodes.Patience, t)
}

// WaitWriteWithin is WaitWriteAfter with a limit of the caller's.
func (l *Load) WaitWriteWithin(ctx context.Context, limit time.Duration, t time.Time) error {
	return nodes.Until(ctx, limit, "writes go on", func() error {
		if l.begin.Add(time.Duration(l.lastWrite.Load())).After(t) {
			return nil
		}
		return errors.New("no send acknowledged since")
	})
}

// noteWrite remembers when the youngest acknowledged send began.
func (l *Load) noteWrite(start time.Time) {
	began := int64(start.Sub(l.begin))
	for {
		old := l.lastWrite.Load()
		if began <= old || l.lastWrite.CompareAndSwap(old, began) {
			return
		}
	}
}

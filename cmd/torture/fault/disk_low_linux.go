package fault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// lowRoom is less than any reserve that a node has on a disk of some size, and more than a round writes.
const lowRoom = 512 << 20

// noQueue is the name of no queue: a send to it is refused in any case, but for want of room only if there is none.
const noQueue = "no-such-queue"

// diskLow leaves a majority with little room. Sends are refused and nothing else is; nobody ends.
type diskLow struct{ diskFault }

// Strike implements Fault.
func (f diskLow) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	all := s.Cluster.Nodes
	from := s.Random.IntN(len(all))
	first := all[from]
	var low []*nodes.Node
	for i := range len(all)/2 + 1 {
		low = append(low, all[(from+i)%len(all)])
	}
	defer f.setRoom(low, -1)
	e, err := s.strike(ctx, func() error {
		f.setRoom(low, lowRoom)
		return nil
	})
	if err != nil {
		return e, err
	}
	err = nodes.Until(ctx, f.bound, "sends are refused", func() error {
		_, err := first.API().Send(ctx, noQueue, client.Message{Body: "refused in any case"})
		return answered(err, http.StatusInsufficientStorage)
	})
	if err != nil {
		return e, err
	}
	e.What = fmt.Sprintf("%d of %d disks are low; sends are refused after %s", len(low), len(all), time.Since(e.At).Round(time.Millisecond))
	_, err = first.API().Receive(ctx, noQueue, client.ReceiveOptions{})
	if err := answered(err, http.StatusNotFound); err != nil {
		return e, fmt.Errorf("a receive: %w", err)
	}
	f.setRoom(low, -1)
	return e, s.outageFrom(ctx, &e, f.bound, e.At, time.Now())
}

func (f diskLow) setRoom(low []*nodes.Node, bytes int64) {
	for _, n := range low {
		f.of[n].SetRoom(bytes)
	}
}

// answered says whether a request was refused with a status.
func answered(err error, status int) error {
	if refusal, ok := errors.AsType[*client.Error](err); ok && refusal.Status == status {
		return nil
	}
	return fmt.Errorf("want status %d: %w", status, err)
}

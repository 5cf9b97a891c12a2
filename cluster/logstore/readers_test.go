package logstore

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"
)

// While a tail is replaced again and again, and the head goes, readers see each index as it was when they began or later.
func TestReadersWhileTheLogChanges(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		s := open(t, t.TempDir(), kind)
		add(t, s, 1, 100, 1)
		var settled, from atomic.Uint64 // the term of 51 to 100, and the first index that no deletion has named
		settled.Store(1)
		from.Store(1)
		stop := make(chan struct{})
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				for i := uint64(1); ; i = i%100 + 1 {
					select {
					case <-stop:
						return
					default:
					}
					if err := readSettled(s, i, &settled, &from); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for term := range uint64(20) {
			from.Store(term + 2)
			remove(t, s, term+1, term+1)
			remove(t, s, 51, 100)
			add(t, s, 51, 100, term+2)
			settled.Store(term + 2)
		}
		close(stop)
		readers.Wait()
		want(t, s, 21, 100, before(51, 1, 21))
	})
}

func readSettled(s Store, i uint64, settled, from *atomic.Uint64) error {
	least := uint64(1)
	if i > 50 {
		least = settled.Load()
	}
	var l raft.Log
	err := s.GetLog(i, &l)
	if errors.Is(err, raft.ErrLogNotFound) && (i > 50 || i < from.Load()) {
		return nil
	}
	if data := fmt.Sprintf("entry %d of term %d", i, l.Term); err != nil || l.Index != i || l.Term < least || string(l.Data) != data {
		return fmt.Errorf("entry %d is %d of term %d, at least %d: %q, %v", i, l.Index, l.Term, least, l.Data, err)
	}
	return nil
}

package auth

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestHasherRefusesWhenTooManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher()
		h.turns = make(chan struct{}, 1)
		if err := h.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		results := make(chan error, MaxHashWaiting)
		for range MaxHashWaiting {
			go func() { results <- h.enter(t.Context()) }()
		}
		synctest.Wait()
		if err := h.enter(t.Context()); !errors.Is(err, ErrBusy) {
			t.Fatalf("caller %d: %v", MaxHashWaiting+2, err)
		}
		for range MaxHashWaiting {
			h.leave()
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
		h.leave()
		if n := h.waiting.Load(); n != 0 || len(h.turns) != 0 {
			t.Fatalf("%d waiting and %d turns taken at the end", n, len(h.turns))
		}
	})
}

func TestHasherWaitEndsWithItsContext(t *testing.T) {
	h := NewHasher()
	h.turns = make(chan struct{}, 1)
	if err := h.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Verify(ctx, "correct horse", h.dummy); !errors.Is(err, context.Canceled) {
		t.Fatalf("Verify: %v", err)
	}
	if n := h.waiting.Load(); n != 0 {
		t.Fatalf("%d still waiting", n)
	}
}

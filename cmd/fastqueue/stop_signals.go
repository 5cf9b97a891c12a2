package main

import (
	"context"
	"os"
	"sync/atomic"
	"time"
)

// hurryLimit is how long a verb may take to end what it started, after the second signal. A third one ends the process at once.
const hurryLimit = 3 * time.Second

// hurry is the second signal, as the verbs see it.
type hurry struct {
	asked   chan struct{} // closed by the signal
	awaited atomic.Bool   // a verb has something to end before the process may
}

type hurryKey struct{}

// untilStopped returns the context of a command line. It ends with the first signal, which begins an orderly end. The second one
// ends the process: at once, or after hurryLimit if the verb asked for hurried.
func untilStopped(signals <-chan os.Signal, exit func(code int)) context.Context {
	ctx, stop := context.WithCancel(context.Background())
	h := &hurry{asked: make(chan struct{})}
	go func() {
		<-signals
		stop()
		<-signals
		close(h.asked)
		if h.awaited.Load() {
			select {
			case <-signals:
			case <-time.After(hurryLimit):
			}
		}
		exit(exitFailed)
	}()
	return context.WithValue(ctx, hurryKey{}, h)
}

// hurried returns a channel that the second signal closes. Who asks has hurryLimit then to end what would outlive the process.
func hurried(ctx context.Context) <-chan struct{} {
	h, ok := ctx.Value(hurryKey{}).(*hurry)
	if !ok {
		return nil // a command line that gets no signals
	}
	h.awaited.Store(true)
	return h.asked
}

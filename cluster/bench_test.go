package cluster

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkBurst sends 1,000 messages at once through three nodes after a silence, 20 times, and reports the percentiles of
// all of them.
func BenchmarkBurst(b *testing.B) {
	for _, logStore := range []string{"bolt", "wal"} {
		b.Run(logStore, func(b *testing.B) {
			c := newTestCluster(b, logStore, 3, nil)
			c.createQueue(0, "q")
			var mu sync.Mutex
			var took []time.Duration
			for b.Loop() {
				for range 20 {
					time.Sleep(200 * time.Millisecond) // the silence
					var all sync.WaitGroup
					for i := range 1_000 {
						all.Go(func() {
							start := time.Now()
							c.send(i%3, "q", "job")
							mu.Lock()
							defer mu.Unlock()
							took = append(took, time.Since(start))
						})
					}
					all.Wait()
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// subBuckets is how many equal buckets each power of two has: durations are kept to within 1/64 of their size.
const (
	subBucketBits = 6
	subBuckets    = 1 << subBucketBits
)

// histogram counts durations of any size in a fixed space. It is safe for concurrent use.
type histogram struct {
	counts [(64 - subBucketBits) * subBuckets]atomic.Uint64
	total  atomic.Uint64
	max    atomic.Int64 // nanoseconds
}

// record counts one duration; a negative one counts as 0.
func (h *histogram) record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))].Add(1)
	h.total.Add(1)
	for {
		old := h.max.Load()
		if int64(d) <= old || h.max.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// count returns how many durations were recorded.
func (h *histogram) count() uint64 { return h.total.Load() }

// quantile returns a duration that the share q (0 to 1) of all durations do not exceed, 0 if there are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.total.Load()))
	var seen uint64
	for i := range h.counts {
		seen += h.counts[i].Load()
		if seen > rank {
			return min(time.Duration(bucketEnd(i)), time.Duration(h.max.Load()))
		}
	}
	return time.Duration(h.max.Load())
}

// bucketOf returns the bucket of a value: its highest bit names a group of buckets, the bits below it one in the group.
func bucketOf(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - subBucketBits
	return (shift+1)*subBuckets + int(v>>shift) - subBuckets
}

// bucketEnd returns the largest value of a bucket.
func bucketEnd(i int) uint64 {
	if i < subBuckets {
		return uint64(i)
	}
	shift := i/subBuckets - 1
	return (uint64(i%subBuckets+subBuckets)+1)<<shift - 1
}

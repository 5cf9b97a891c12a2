package cluster

import (
	"slices"
	"time"
)

// maxProgress bounds what is remembered of the log's growth: an hour of a log that grows all the time.
const maxProgress = 3_600

// progress remembers how long the log was when, so that entries behind can be told as seconds behind. The samples are in
// order of time; while the log does not grow the last one moves along with it.
type progress struct {
	samples []progressSample
}

type progressSample struct {
	at   time.Time // the last moment at which this was the last index
	last uint64
}

func (p *progress) note(at time.Time, last uint64) {
	if k := len(p.samples) - 1; k >= 0 && p.samples[k].last >= last {
		p.samples[k].at = at
		return
	}
	if len(p.samples) >= maxProgress {
		p.samples = slices.Delete(p.samples, 0, maxProgress/2)
	}
	p.samples = append(p.samples, progressSample{at, last})
}

// behind is how long before a moment the log was as long as what a member has applied then; beyond what is remembered it
// is at least that. Between two samples the log is taken to have grown evenly.
func (p *progress) behind(at time.Time, applied uint64) time.Duration {
	i, _ := slices.BinarySearchFunc(p.samples, applied, func(s progressSample, applied uint64) int {
		if s.last > applied {
			return 1
		}
		return -1
	})
	switch {
	case i == len(p.samples):
		return 0
	case i == 0:
		return max(0, at.Sub(p.samples[0].at))
	}
	from, to := p.samples[i-1], p.samples[i]
	share := float64(applied-from.last) / float64(to.last-from.last)
	then := from.at.Add(time.Duration(share * float64(to.at.Sub(from.at))))
	return max(0, at.Sub(then))
}

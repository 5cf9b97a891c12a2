package httpd

import (
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// queueView is the JSON of a queue.
type queueView struct {
	Name              string `json:"name"`
	MessageCount      uint64 `json:"message_count"` // not yet deleted: ready, leased and delayed
	MaxLength         uint64 `json:"max_length"`
	VisibilityTimeout uint32 `json:"visibility_timeout"` // seconds
}

func viewOf(q *fsmpb.QueueInfo) queueView {
	return queueView{
		Name:              q.GetName(),
		MessageCount:      q.GetReady() + q.GetLeased() + q.GetDelayed(),
		MaxLength:         q.GetSettings().GetMaxLength(),
		VisibilityTimeout: q.GetSettings().GetVisibilityTimeoutS(),
	}
}

// queueSettings is the JSON of what can be set of a queue.
type queueSettings struct {
	MaxLength         integer `json:"max_length"`
	VisibilityTimeout integer `json:"visibility_timeout"`
}

// check validates the settings; absent ones have their defaults.
func (q *queueSettings) check() (*fsmpb.QueueSettings, error) {
	length, err := q.MaxLength.between("max_length", fsm.MinQueueLength, fsm.MaxQueueLength, fsm.DefaultMaxLength)
	if err != nil {
		return nil, err
	}
	visibility, err := q.VisibilityTimeout.between("visibility_timeout", 0, int64(fsm.MaxVisibilityTimeout.Seconds()),
		int64(fsm.DefaultVisibilityTimeout.Seconds()))
	if err != nil {
		return nil, err
	}
	return &fsmpb.QueueSettings{MaxLength: uint64(length), VisibilityTimeoutS: uint32(visibility)}, nil
}

package fsm

import (
	"encoding/binary"
	"fmt"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

const (
	dueWindowItems = 1_024
	// maxWindowItems bounds the memory of all ready windows together (about 40 bytes each); beyond it all are dropped.
	maxWindowItems = 1_000_000
)

// state is the working copy of the small records and the windows over the large tables. Only raft's FSM goroutine uses
// it. Everything in it can be read again from the store.
type state struct {
	batch *store.Batch // of the entries being applied; between them an empty one, for reading

	now    int64 // the greatest time that an entry carried, ms
	nextID uint64
	hash   uint64 // running hash over indexes and results

	cluster *fsmpb.Cluster // nil before init_cluster
	users   map[string]*fsmpb.User
	userIDs map[uint64]*fsmpb.User
	admins  int
	queues  map[string]*queue
	byID    map[uint64]*queue
	ended   endedFamilies
	apiKeys apiKeyCache
	due     window[store.Due]

	scopes   map[uint64]*scope      // of remembered results
	sessions map[sessionName]*scope // those that are sessions
	numbered []numberedCommand      // of the entry being applied, that are to be remembered

	dirty       []*queue // records to write at the end of the batch, in the order in which they were touched
	dirtyScopes []*scope // likewise
	windowMax   int      // items of one ready window
	windowItems int      // items in all ready windows, counted in flush
	corrupt     func(error)
}

// scanner is what load reads from.
type scanner interface {
	Get(key []byte) ([]byte, bool)
	Scan(lower, upper []byte, f func(key, value []byte) bool)
}

// load reads the state from the store.
func load(r scanner, windowMax int) (*state, error) {
	s := &state{
		users:     map[string]*fsmpb.User{},
		userIDs:   map[uint64]*fsmpb.User{},
		queues:    map[string]*queue{},
		byID:      map[uint64]*queue{},
		ended:     endedFamilies{max: maxEndedKnown, known: map[uint64]struct{}{}},
		apiKeys:   apiKeyCache{max: maxAPIKeysKnown, known: map[string]*fsmpb.APIKey{}},
		scopes:    map[uint64]*scope{},
		sessions:  map[sessionName]*scope{},
		windowMax: windowMax,
		nextID:    1,
	}
	dueLow := int64(0)
	if v, ok := r.Get(store.ClockKey()); ok {
		if len(v) != 32 {
			return nil, fmt.Errorf("clock record of %d bytes, 32 expected", len(v))
		}
		s.now = int64(binary.BigEndian.Uint64(v))
		s.nextID = binary.BigEndian.Uint64(v[8:])
		s.hash = binary.BigEndian.Uint64(v[16:])
		dueLow = int64(binary.BigEndian.Uint64(v[24:]))
	}
	s.due = newWindow(dueWindowItems, store.Due.Before, false)
	s.due.drop(store.Due{At: dueLow})
	if v, ok := r.Get(store.ClusterKey()); ok {
		s.cluster = &fsmpb.Cluster{}
		if err := decode(v, s.cluster); err != nil {
			return nil, fmt.Errorf("cluster record: %w", err)
		}
	}
	if err := s.loadUsers(r); err != nil {
		return nil, err
	}
	s.loadEnded(r)
	if err := s.loadScopes(r); err != nil {
		return nil, err
	}
	return s, s.loadQueues(r)
}

func (s *state) loadUsers(r scanner) (err error) {
	lower, upper := store.Users()
	r.Scan(lower, upper, func(key, value []byte) bool {
		u := &fsmpb.User{}
		if err = decode(value, u); err != nil {
			err = fmt.Errorf("user record %q: %w", key[1:], err)
			return false
		}
		s.rememberUser(u)
		return true
	})
	return err
}

func (s *state) loadQueues(r scanner) (err error) {
	lower, upper := store.Queues()
	r.Scan(lower, upper, func(key, value []byte) bool {
		rec := &fsmpb.Queue{}
		if err = decode(value, rec); err != nil {
			err = fmt.Errorf("queue record %q: %w", key[1:], err)
			return false
		}
		s.rememberQueue(rec)
		return true
	})
	return err
}

// newID counts up the ids of users, queues, families and API keys.
func (s *state) newID() uint64 {
	id := s.nextID
	s.nextID++
	return id
}

// flush writes the records that the entries of a batch changed, once each.
func (s *state) flush() {
	for _, q := range s.dirty {
		q.dirty = false
		if s.byID[q.rec.Id] != q { // deleted meanwhile
			s.windowItems -= q.counted
			continue
		}
		s.batch.Set(store.QueueKey(q.rec.Name), s.encode(q.rec))
		s.windowItems += q.window.len() - q.counted
		q.counted = q.window.len()
	}
	s.dirty = s.dirty[:0]
	s.flushScopes()
	v := make([]byte, 0, 32)
	v = binary.BigEndian.AppendUint64(v, uint64(s.now))
	v = binary.BigEndian.AppendUint64(v, s.nextID)
	v = binary.BigEndian.AppendUint64(v, s.hash)
	v = binary.BigEndian.AppendUint64(v, uint64(s.dueLow()))
	s.batch.Set(store.ClockKey(), v)
	if s.windowItems > maxWindowItems {
		s.dropWindows()
	}
}

// dueLow is a time before which nothing is due: what remains was due later, or advance has left it over.
func (s *state) dueLow() int64 {
	if d, ok := s.firstDue(); ok && d.At < s.now {
		return d.At
	}
	return s.now
}

func (s *state) dropWindows() {
	for _, q := range s.byID {
		q.dropWindow()
		q.counted = 0
	}
	s.windowItems = 0
}

func (s *state) decodeDelivery(key, value []byte) delivery {
	d, ok := decodeDelivery(value)
	if !ok {
		s.corrupt(fmt.Errorf("delivery state under %q is damaged", string(key))) // a copy: see Batch.read
	}
	return d
}

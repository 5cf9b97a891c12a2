package logstore

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"sync"
)

// recordKey is where a backend keeps all of raft's stable values. Neither backend has a checksum for values, and one that
// changed, or went missing together with its key, would be worse than a lost entry: a node that forgets its term or its
// vote votes twice. One record with one checksum can only be right, damaged or not there; see Reconcile for the last.
const recordKey = "record"

// record holds raft's stable values: its term, and whom it voted for in which.
type record struct {
	mu     sync.Mutex
	values map[string][]byte // never changed, but replaced
}

// load reads what the backend holds.
func (r *record) load(b backend) error {
	raw, err := b.Get([]byte(recordKey))
	if len(raw) == 0 && (err == nil || err.Error() == errNotFound.Error()) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read stable values: %w", err)
	}
	values, err := decodeRecord(raw)
	if err != nil {
		return err
	}
	r.values = values
	return nil
}

func (r *record) get(key []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.values[string(key)]
	if !ok {
		return nil, errNotFound
	}
	return v, nil
}

// set changes a value when write has made the whole record durable.
func (r *record) set(key, value []byte, write func(raw []byte) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	values := map[string][]byte{}
	maps.Copy(values, r.values)
	values[string(key)] = value
	raw, err := encodeRecord(values)
	if err == nil {
		err = write(raw)
	}
	if err == nil {
		r.values = values
	}
	return err
}

// encodeRecord renders values with the CRC-32C of that in front.
func encodeRecord(values map[string][]byte) ([]byte, error) {
	body, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("encode stable values: %w", err)
	}
	sum := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
	return append(binary.BigEndian.AppendUint32(nil, sum), body...), nil
}

func decodeRecord(raw []byte) (values map[string][]byte, err error) {
	if len(raw) >= checksumBytes && binary.BigEndian.Uint32(raw) == crc32.Checksum(raw[checksumBytes:], crc32.MakeTable(crc32.Castagnoli)) {
		err = json.Unmarshal(raw[checksumBytes:], &values)
	} else {
		err = errors.New("they do not have their checksum")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: raft's term and vote: %w", ErrDamaged, err)
	}
	return values, nil
}

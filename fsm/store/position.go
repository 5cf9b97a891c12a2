package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/raft"
)

// The store's own keys. They sort before every key of the schema and are no part of the replicated state.
const (
	formatKey        = "\x00f" // layout and schema numbers, 4 bytes each
	installedKey     = "\x00i" // index and term of the last install, 8 bytes each
	positionKey      = "\x00p" // index and term, 8 bytes each
	configurationKey = "\x00r" // configuration index, 8 bytes, and raft's encoding of the configuration
)

// layout is the number of this package's own part of the format.
const layout = 1

// Position says which prefix of the raft log the store holds.
type Position struct {
	// Index and Term of the last command or configuration entry that was applied; 0 in an empty store. Entries that raft
	// keeps from the state machine, a new leader's no-op say, do not move it.
	Index, Term uint64
	// Configuration is the member list as of Index and ConfigurationIndex the entry that set it.
	Configuration      raft.Configuration
	ConfigurationIndex uint64
}

// Mark is a place in the raft log.
type Mark struct{ Index, Term uint64 }

func (m Mark) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), m.Index)
	return binary.BigEndian.AppendUint64(b, m.Term)
}

func decodeMark(b []byte) (Mark, error) {
	if len(b) != 16 {
		return Mark{}, fmt.Errorf("a place in the log has %d bytes instead of 16", len(b))
	}
	return Mark{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, nil
}

// writePosition puts p into the batch; the member list only when it differs from that of last.
func writePosition(b *pebble.Batch, p, last Position) error {
	if err := b.Set([]byte(positionKey), Mark{p.Index, p.Term}.encode(), nil); err != nil {
		return err
	}
	if p.ConfigurationIndex == last.ConfigurationIndex {
		return nil
	}
	v := binary.BigEndian.AppendUint64(nil, p.ConfigurationIndex)
	return b.Set([]byte(configurationKey), append(v, raft.EncodeConfiguration(p.Configuration)...), nil)
}

// readPosition returns what a Pebble directory or snapshot holds; the zero Position if nothing was ever applied.
func readPosition(r pebble.Reader) (Position, error) {
	mark, err := readMark(r, positionKey)
	if err != nil {
		return Position{}, wrap("read applied position", err)
	}
	p := Position{Index: mark.Index, Term: mark.Term}
	v, err := get(r, configurationKey)
	if err != nil {
		return Position{}, wrap("read configuration", err)
	}
	if v != nil {
		if len(v) < 8 {
			return Position{}, fmt.Errorf("read configuration: %d bytes are too few", len(v))
		}
		p.ConfigurationIndex = binary.BigEndian.Uint64(v)
		p.Configuration = raft.DecodeConfiguration(v[8:])
	}
	return p, nil
}

// readMark returns the place stored under key, zero if there is none.
func readMark(r pebble.Reader, key string) (Mark, error) {
	v, err := get(r, key)
	if err != nil || v == nil {
		return Mark{}, err
	}
	return decodeMark(v)
}

// encodeFormat returns the value of formatKey for a key schema.
func encodeFormat(schema uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, layout), schema)
}

// checkFormat refuses a store of another layout or key schema.
func checkFormat(r pebble.Reader, schema uint32) error {
	v, err := get(r, formatKey)
	if err != nil {
		return wrap("read format", err)
	}
	if len(v) != 8 {
		return errors.New("the directory holds no FastQueue state")
	}
	haveLayout, haveSchema := binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
	if haveLayout != layout || haveSchema != schema {
		return refusal{fmt.Errorf("the state has format %d.%d and this version reads %d.%d only: start the version that wrote it, "+
			"or start with an empty directory", haveLayout, haveSchema, layout, schema)}
	}
	return nil
}

// get returns a copy of a value, nil if the key is absent.
func get(r pebble.Reader, key string) ([]byte, error) {
	v, closer, err := r.Get([]byte(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v = append([]byte{}, v...)
	return v, closer.Close()
}

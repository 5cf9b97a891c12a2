package store

import (
	"cmp"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// layer is a set of writes over something that holds the keys already: another layer, or the engine.
type layer struct {
	places map[string]int32 // of keys in writes
	writes []write          // mostly in the order in which their keys came; the places of those that have gone are empty
	free   []int32          // places that are empty
	bytes  int              // about what the writes take in memory
	kept   int              // for how many at most there is room when the layer is emptied: to clear a map costs what it once held
}

// write is what became of a key: a value, or nothing.
type write struct {
	key     string // empty: gone
	value   []byte
	deleted bool
	added   bool // what lies below has no such key: once the value is deleted nothing remains to be written
}

// writeOverhead is about what one write takes beside its key and value.
const writeOverhead = 96

func newLayer(kept int) layer { return layer{places: map[string]int32{}, kept: kept} }

// size is about what w takes in memory.
func (w *write) size() int { return writeOverhead + len(w.key) + len(w.value) }

// get returns what became of a key; false if nothing did.
func (l *layer) get(key []byte) (write, bool) {
	if at, ok := l.places[string(key)]; ok {
		return l.writes[at], true
	}
	return write{}, false
}

// put makes w, which has no key yet, what became of key. The key is copied unless the layer has it; the value is kept.
func (l *layer) put(key []byte, w write) {
	if at, ok := l.places[string(key)]; ok {
		l.follow(at, w)
		return
	}
	w.key = string(key)
	l.append(w)
}

// merge puts what another layer, which lies over this one, holds.
func (l *layer) merge(above *layer) {
	for _, w := range above.writes {
		if w.key == "" {
			continue
		}
		if at, ok := l.places[w.key]; ok {
			l.follow(at, w)
		} else {
			l.append(w)
		}
	}
}

func (l *layer) append(w write) {
	l.bytes += w.size()
	if last := len(l.free) - 1; last >= 0 {
		at := l.free[last]
		l.free = l.free[:last]
		l.places[w.key], l.writes[at] = at, w
		return
	}
	l.places[w.key] = int32(len(l.writes))
	l.writes = append(l.writes, w)
}

// follow puts w where the layer has an older write of the same key.
func (l *layer) follow(at int32, w write) {
	old := &l.writes[at]
	l.bytes -= old.size()
	if w.deleted && old.added {
		delete(l.places, old.key)
		*old = write{}
		l.free = append(l.free, at)
		return
	}
	w.key, w.added = old.key, old.added
	*old = w
	l.bytes += w.size()
}

// passTo writes everything to a batch of the engine and empties the layer. The order is that of the keys: the engine's
// memory table finds the place of a key that follows the last one at once. Inside a table keys mostly come in their order.
func (l *layer) passTo(b *pebble.Batch) error {
	var tables [256][]int32 // places
	for at, w := range l.writes {
		if w.key != "" {
			tables[w.key[0]] = append(tables[w.key[0]], int32(at))
		}
	}
	byKey := func(a, b int32) int { return cmp.Compare(l.writes[a].key, l.writes[b].key) }
	for _, table := range tables {
		if !slices.IsSortedFunc(table, byKey) {
			slices.SortFunc(table, byKey)
		}
		for _, at := range table {
			if err := l.writes[at].passTo(b); err != nil {
				return err
			}
		}
	}
	l.empty()
	return nil
}

func (w *write) passTo(b *pebble.Batch) error {
	var op *pebble.DeferredBatchOp
	if w.deleted {
		op = b.DeleteDeferred(len(w.key))
	} else {
		op = b.SetDeferred(len(w.key), len(w.value))
		copy(op.Value, w.value)
	}
	copy(op.Key, w.key)
	return op.Finish()
}

func (l *layer) empty() {
	if cap(l.writes) > l.kept {
		l.places, l.writes, l.free = map[string]int32{}, nil, nil
	} else {
		clear(l.places)
		clear(l.writes)
		l.writes = l.writes[:0]
	}
	l.free, l.bytes = l.free[:0], 0
}

package store

import (
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// layer is a set of writes over something that holds the keys already: another layer, or the engine.
type layer struct {
	writes map[string]write
	bytes  int // about what the writes take in memory
}

// write is what became of a key: a value, or nothing.
type write struct {
	value   []byte
	deleted bool
	added   bool // what lies below has no such key: once the value is deleted nothing remains to be written
}

// writeOverhead is about what one write takes beside its key and value.
const writeOverhead = 96

// maxKept is how many writes a layer keeps room for when it is emptied: to clear a map costs what it once held.
const maxKept = 4096

func newLayer() layer { return layer{writes: map[string]write{}} }

// put makes w what became of key. The key is copied unless the layer has it; the value is kept.
func (l *layer) put(key []byte, w write) {
	old, ok := l.writes[string(key)]
	if !ok {
		l.set(string(key), w, 0)
		return
	}
	l.follow(string(key), w, old)
}

// merge puts what another layer, which lies over this one, holds.
func (l *layer) merge(above *layer) {
	for key, w := range above.writes {
		if old, ok := l.writes[key]; ok {
			l.follow(key, w, old)
		} else {
			l.set(key, w, 0)
		}
	}
}

// follow puts w where the layer has an older write of the key.
func (l *layer) follow(key string, w, old write) {
	if w.deleted && old.added {
		delete(l.writes, key)
		l.bytes -= writeOverhead + len(key) + len(old.value)
		return
	}
	w.added = old.added
	l.set(key, w, writeOverhead+len(key)+len(old.value))
}

func (l *layer) set(key string, w write, before int) {
	l.writes[key] = w
	l.bytes += writeOverhead + len(key) + len(w.value) - before
}

// passTo writes everything to a batch of the engine and empties the layer. The order is that of the keys: the engine's
// memory table finds the place of a key that follows the last one at once.
func (l *layer) passTo(b *pebble.Batch) error {
	keys := slices.AppendSeq(make([]string, 0, len(l.writes)), maps.Keys(l.writes))
	slices.Sort(keys)
	for _, k := range keys {
		var op *pebble.DeferredBatchOp
		if w := l.writes[k]; w.deleted {
			op = b.DeleteDeferred(len(k))
		} else {
			op = b.SetDeferred(len(k), len(w.value))
			copy(op.Value, w.value)
		}
		copy(op.Key, k)
		if err := op.Finish(); err != nil {
			return err
		}
	}
	l.empty()
	return nil
}

func (l *layer) empty() {
	if len(l.writes) > maxKept {
		l.writes = map[string]write{}
	} else {
		clear(l.writes)
	}
	l.bytes = 0
}

package store

import (
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// generation is one Pebble directory that is or was the state. Whoever uses its database holds a reference; the Store
// itself holds one until the generation is replaced or the store is closed.
type generation struct {
	o      *Options
	db     *pebble.DB
	dir    string
	number uint64
	closed chan struct{} // closed after the database is
	young  young

	mu       sync.Mutex
	refs     int
	obsolete bool // replaced: the last holder removes the directory
}

// newGeneration is one whose database holds the state at a position.
func newGeneration(o *Options, db *pebble.DB, dir string, number uint64, p Position) *generation {
	return &generation{
		o: o, db: db, dir: dir, number: number, closed: make(chan struct{}), refs: 1,
		young: young{writes: newLayer(2 * maxYoungBytes / writeOverhead), position: p, passed: p},
	}
}

// acquire takes a reference; false if the database is closed already.
func (g *generation) acquire() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refs == 0 {
		return false
	}
	g.refs++
	return true
}

// retire marks the generation as replaced and gives back the store's reference.
func (g *generation) retire() {
	g.mu.Lock()
	g.obsolete = true
	g.mu.Unlock()
	g.release()
}

func (g *generation) isObsolete() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.obsolete
}

// release gives a reference back. The last one closes the database and removes a replaced directory.
func (g *generation) release() {
	g.mu.Lock()
	g.refs--
	last, obsolete := g.refs == 0, g.obsolete
	g.mu.Unlock()
	if !last {
		return
	}
	defer close(g.closed)
	if err := g.db.Close(); err != nil {
		_ = g.o.fail(fmt.Errorf("close state %s: %w", g.dir, err)) // the caller was done with it; Fatal is the report
		return
	}
	if !obsolete {
		return
	}
	if err := g.o.FS.RemoveAll(g.dir); err != nil {
		_ = g.o.fail(fmt.Errorf("remove replaced state %s: %w", g.dir, err))
		return
	}
	g.o.step("old generation removed")
}

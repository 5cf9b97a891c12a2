package fsm

import "sort"

// window is a cache of the first items of an ordered table of the store: of a queue's ready messages, or of all due work.
// While it is kept up to date with every insert and remove, finding the first item reads nothing and walks over none of
// the tombstones that a queue leaves behind. It may be dropped at any time; what it answers does not depend on its size.
type window[T any] struct {
	before   func(a, b T) bool
	max      int
	items    []T // in order; the live ones start at head
	head     int
	complete bool // the table has nothing that is not in items
	end      T    // if not complete: everything in the table before end is in items
}

func newWindow[T any](max int, before func(a, b T) bool, complete bool) window[T] {
	return window[T]{before: before, max: max, complete: complete}
}

func (w *window[T]) len() int { return len(w.items) - w.head }

// drop forgets the items; start is a place in the table before which it has nothing.
func (w *window[T]) drop(start T) {
	*w = window[T]{before: w.before, max: w.max, end: start}
}

// first returns the first item of the table. When the cache has none it reads on with scan, which returns the first
// max items of the table that do not come before from.
func (w *window[T]) first(scan func(from T, max int) []T) (item T, ok bool) {
	if w.len() == 0 && !w.complete {
		w.fill(scan(w.end, w.max+1))
	}
	if w.len() == 0 {
		return item, false
	}
	return w.items[w.head], true
}

func (w *window[T]) fill(items []T) {
	w.items, w.head = items, 0
	w.complete = len(items) <= w.max
	if !w.complete {
		w.items, w.end = items[:w.max], items[w.max]
	}
}

// pop removes the item that first returned.
func (w *window[T]) pop() {
	var zero T
	w.items[w.head] = zero
	w.head++
	if w.head == len(w.items) {
		w.items, w.head = w.items[:0], 0
	}
}

// insert notes an item that was added to the table.
func (w *window[T]) insert(item T) {
	if !w.complete && !w.before(item, w.end) {
		return
	}
	i := w.search(item)
	w.makeRoom()
	w.items = append(w.items, item)
	copy(w.items[w.head+i+1:], w.items[w.head+i:])
	w.items[w.head+i] = item
	if w.len() > w.max {
		last := len(w.items) - 1
		w.end, w.complete = w.items[last], false
		w.items = w.items[:last]
	}
}

// makeRoom moves the items to the front when append would grow the slice although its front is free.
func (w *window[T]) makeRoom() {
	if w.head > 0 && len(w.items) == cap(w.items) {
		n := copy(w.items, w.items[w.head:])
		w.items, w.head = w.items[:n], 0
	}
}

// remove notes an item that was deleted from the table.
func (w *window[T]) remove(item T) {
	i := w.search(item)
	if i == w.len() || w.before(item, w.items[w.head+i]) {
		return
	}
	w.items = append(w.items[:w.head+i], w.items[w.head+i+1:]...)
	if w.len() == 0 {
		w.items, w.head = w.items[:0], 0
	}
}

// search returns how many items come before this one.
func (w *window[T]) search(item T) int {
	live := w.items[w.head:]
	return sort.Search(len(live), func(i int) bool { return !w.before(live[i], item) })
}

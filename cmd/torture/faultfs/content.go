//go:build linux

package faultfs

import (
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
)

const (
	pageBytes   = 4096
	sectorBytes = 512
)

// content is what is kept of a file with unsynced bytes: how it was when it was last synced.
type content struct {
	size  int64
	pages map[int64][]byte // by number: what each page that changed since then had inside size, nothing if it was behind it
}

// keep is called before bytes from off to end of a file change or are cut off.
func (d *Disk) keep(ino uint64, f *os.File, off, end int64) error {
	c := d.files[ino]
	if c == nil {
		size, err := sizeOf(f)
		if err != nil {
			return err
		}
		c = &content{size: size, pages: map[int64][]byte{}}
		d.files[ino] = c
	}
	for p := off / pageBytes; p*pageBytes < end; p++ {
		if _, ok := c.pages[p]; ok {
			continue
		}
		old := make([]byte, max(0, min(pageBytes, c.size-p*pageBytes)))
		// A file that was cut kept those pages then: what is short here is a hole that was never there.
		if _, err := f.ReadAt(old, p*pageBytes); err != nil && err != io.EOF {
			return err
		}
		c.pages[p] = old
	}
	return nil
}

// restore puts a file back to what it was when it was last synced. With chance, a part of what was written since then
// stays. It returns how many bytes it took back.
func (c *content) restore(path string, chance *rand.Rand) (lost int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	size, err := sizeOf(f)
	for _, p := range slices.Sorted(maps.Keys(c.pages)) {
		if err != nil {
			break
		}
		from, end := p*pageBytes, min((p+1)*pageBytes, max(size, c.size))
		if chance != nil { // so much of the page had reached the disk, but nothing that was cut off since
			reached := []int64{0, pageBytes, sectorBytes * chance.Int64N(pageBytes/sectorBytes)}[chance.IntN(3)]
			from = max(from, min(from+reached, size))
		}
		if from < end {
			old, back := c.pages[p], make([]byte, end-from)
			copy(back, old[min(from-p*pageBytes, int64(len(old))):])
			_, err = f.WriteAt(back, from)
			lost += end - from
		}
	}
	if err == nil {
		if chance == nil || chance.IntN(2) == 0 {
			size = c.size
		}
		err = f.Truncate(size)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return lost, err
}

func sizeOf(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

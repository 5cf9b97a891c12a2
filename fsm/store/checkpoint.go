package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/fsm/store/storepb"
)

// checkpoint is a state that leaves: a directory of hard links, read as one stream. One goroutine uses it.
type checkpoint struct {
	s        *Store
	dir      string
	position Position
	size     int64 // of the whole stream

	head  []byte          // not yet read part of what stands before the next file, checksums included
	files []*storepb.File // not yet begun
	file  vfs.File        // being read, or nil
	left  uint64          // bytes of it
	sum   uint32
}

// newCheckpoint makes the present state durable and links it into a directory of its own.
func (s *Store) newCheckpoint() (*checkpoint, error) {
	g := s.acquire()
	defer g.release()
	if err := s.flush(g); err != nil {
		return nil, err
	}
	s.o.step("flush")
	c := &checkpoint{s: s, dir: s.tempDir("send")}
	if err := s.o.limited("checkpoint of the state", func() error { return g.db.Checkpoint(c.dir) }); err != nil {
		return nil, err
	}
	s.o.step("checkpoint")
	if err := c.describe(); err != nil {
		return nil, errors.Join(s.o.fail(wrap("read checkpoint", err)), c.Close())
	}
	return c, nil
}

// describe reads the checkpoint's position, which may lie after the one that was flushed, and prepares the stream.
func (c *checkpoint) describe() error {
	db, err := openEngine(&c.s.o, c.s.cache, c.dir, true)
	if err != nil {
		return err
	}
	c.position, err = readPosition(db)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	m := &storepb.Manifest{
		Index: c.position.Index, Term: c.position.Term,
		Configuration: raft.EncodeConfiguration(c.position.Configuration), ConfigurationIndex: c.position.ConfigurationIndex,
		EngineFormat: uint32(engineFormat), Schema: c.s.o.Schema,
	}
	if m.Files, err = engineFiles(c.s.o.FS, c.dir); err != nil {
		return err
	}
	if c.head, err = encodeHead(m); err != nil {
		return err
	}
	c.files, c.size = m.Files, int64(len(c.head))
	for _, f := range m.Files {
		c.size += int64(f.Size) + crcBytes
	}
	return nil
}

// engineFiles lists the files of a Pebble directory that no one writes.
func engineFiles(fs vfs.FS, dir string) ([]*storepb.File, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	var files []*storepb.File
	for _, name := range names {
		if name == lockName {
			continue
		}
		info, err := fs.Stat(fs.PathJoin(dir, name))
		if err != nil {
			return nil, err
		}
		files = append(files, &storepb.File{Name: name, Size: uint64(info.Size())})
	}
	return files, nil
}

// Read implements io.Reader.
func (c *checkpoint) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.read(p)
	c.s.counts.sent.Add(uint64(n))
	if err != nil && err != io.EOF {
		err = c.s.o.fail(wrap("read checkpoint", err))
	}
	return n, err
}

func (c *checkpoint) read(p []byte) (int, error) {
	for len(c.head) == 0 {
		switch {
		case c.file != nil && c.left > 0:
			return c.readFile(p)
		case c.file != nil:
			c.head = binary.BigEndian.AppendUint32(nil, c.sum)
			if err := c.closeFile(); err != nil {
				return 0, err
			}
		case len(c.files) == 0:
			return 0, io.EOF
		default:
			if err := c.openNext(); err != nil {
				return 0, err
			}
		}
	}
	n := copy(p, c.head)
	c.head = c.head[n:]
	return n, nil
}

func (c *checkpoint) readFile(p []byte) (int, error) {
	p = p[:min(uint64(len(p)), c.left)]
	n, err := c.file.Read(p)
	c.sum = crc32.Update(c.sum, crcTable(), p[:n])
	c.left -= uint64(n)
	if err == io.EOF && c.left > 0 {
		return n, fmt.Errorf("a file has become shorter: %w", io.ErrUnexpectedEOF)
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (c *checkpoint) openNext() error {
	f := c.files[0]
	c.files = c.files[1:]
	file, err := c.s.o.FS.Open(c.s.o.FS.PathJoin(c.dir, f.Name), vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	c.file, c.left, c.sum = file, f.Size, 0
	return nil
}

func (c *checkpoint) closeFile() error {
	err := c.file.Close()
	c.file = nil
	return err
}

// Close removes the checkpoint.
func (c *checkpoint) Close() error {
	var err error
	if c.file != nil {
		err = c.closeFile()
	}
	if err := errors.Join(err, c.s.o.FS.RemoveAll(c.dir)); err != nil {
		return c.s.o.fail(wrap("remove checkpoint", err))
	}
	c.files, c.head = nil, nil
	return nil
}

var _ io.ReadCloser = (*checkpoint)(nil)

package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/fastqueue/fastqueue/cluster/transport"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// directoryFormat is the number of the layout of a data directory. Another number is refused, and nothing is deleted.
const directoryFormat = 1

// directory is what node.json in the data directory says: who this node is. It is written once, when the node has become
// a member; everything else that changes is in the log or in the state.
//
//	node.json       this record
//	tls/            key and certificates of the cluster port
//	log/            raft's log and votes
//	state/          the state machine
//	members.json    where members are, as they last said: needed to elect a leader, before the log is applied
//	founding        the first command, until it is applied; only on the founder
//	join-token, admin-password   secrets made at the first start, mode 0600
type directory struct {
	Format      int    `json:"format"`
	ID          string `json:"id"` // raft server id: name and incarnation
	Name        string `json:"name"`
	Incarnation string `json:"incarnation"`
	ClusterID   string `json:"cluster_id"`
	LogStore    string `json:"log_store"`
}

const (
	directoryFile = "node.json"
	membersFile   = "members.json"
	foundingFile  = "founding"
	tlsDir        = "tls"
	logDir        = "log"
	stateDir      = "state"
)

// newDirectory makes an identity that no node had before: a node that lost its directory has forgotten its votes and
// must not vote under its old id.
func newDirectory(name, logStore string) directory {
	var b [5]byte
	rand.Read(b[:])
	incarnation := hex.EncodeToString(b[:])
	return directory{
		Format: directoryFormat, ID: name + "-" + incarnation, Name: name, Incarnation: incarnation, LogStore: logStore,
	}
}

// readDirectory reads node.json. It is absent, and ok false, until the node has become a member.
func readDirectory(dir string) (d directory, ok bool, err error) {
	path := filepath.Join(dir, directoryFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, false, nil
	}
	if err != nil {
		return d, false, fmt.Errorf("read data directory: %w", err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, false, fmt.Errorf("%s is damaged (%w): restore it from a copy, or move the directory away and join again", path, err)
	}
	if d.Format != directoryFormat {
		return d, false, fmt.Errorf("%s has format %d and this version reads format %d: run the version that wrote it", path, d.Format, directoryFormat)
	}
	if d.ID == "" || d.ID != d.Name+"-"+d.Incarnation || d.ClusterID == "" {
		return d, false, fmt.Errorf("%s is damaged (it does not say who the node is): restore it from a copy, or move the directory away and join again", path)
	}
	return d, true, nil
}

// loadIdentity reads the node's certificate, which has to be that of the node in node.json.
func (n *Node) loadIdentity() (transport.Identity, error) {
	dir := filepath.Join(n.config.DataDir, tlsDir)
	identity, err := transport.Load(dir)
	if err == nil && (identity.ID != n.directory.ID || identity.ClusterID != n.directory.ClusterID) {
		err = fmt.Errorf("it is that of %s in cluster %s, and %s says %s in cluster %s",
			identity.ID, identity.ClusterID, directoryFile, n.directory.ID, n.directory.ClusterID)
	}
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return identity, fmt.Errorf("the certificate in %s is damaged (%w): restore the directory from a copy, or move it away and join again", dir, err)
	}
	return identity, err
}

// refuseRemains refuses a directory whose log or state have lost the record of whose they are. They are made after
// node.json, so no crash leaves this behind.
func refuseRemains(dir string) error {
	for _, name := range []string{logDir, stateDir} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%s holds %s of a member but no %s: restore that file, or move the directory away and join again", dir, name, directoryFile)
		}
	}
	return nil
}

func (d directory) write(dir string) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("encode data directory: %w", err)
	}
	return WriteFile(filepath.Join(dir, directoryFile), append(b, '\n'))
}

// saveAddresses writes down where members are. The caller holds n.mu.
func (n *Node) saveAddresses() {
	b, err := json.MarshalIndent(n.addresses, "", "  ")
	if err == nil {
		err = WriteFile(filepath.Join(n.config.DataDir, membersFile), append(b, '\n'))
	}
	if err != nil {
		n.config.Exit(ExitStorage, storageAdvice(n.config.DataDir, fmt.Errorf("the addresses of the members can't be written: %w", err)))
	}
}

// loadAddresses reads what saveAddresses wrote. After all nodes were killed together this is all that a node knows of the
// others: the state may not have been flushed, and the log is not applied before there is a leader.
func (n *Node) loadAddresses() error {
	path := filepath.Join(n.config.DataDir, membersFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read addresses of members: %w", err)
	}
	read := map[string]*fsmpb.Member{}
	err = json.Unmarshal(b, &read)
	for id, m := range read {
		if id == "" || m.GetId() != id {
			err = errors.Join(err, fmt.Errorf("%q is not a member's record", id))
		}
	}
	if err != nil {
		return fmt.Errorf("%s is damaged (%w): delete it if the other members run, and start again", path, err)
	}
	n.mu.Lock() // requests and metrics may look already
	maps.Copy(n.addresses, read)
	n.mu.Unlock()
	return nil
}

// WriteFile writes a file of mode 0600 that is either whole or absent after a crash.
func WriteFile(path string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(temp.Name())))
	}
	return syncDirectory(filepath.Dir(path))
}

// makeDirectory makes a directory, and those above it that are missing, for good. A data directory whose name a loss of power
// takes would be an empty one to the next start, and that may found a cluster of its own.
func makeDirectory(dir string) error {
	above := filepath.Dir(dir)
	if _, err := os.Stat(above); errors.Is(err, fs.ErrNotExist) {
		if err := makeDirectory(above); err != nil {
			return err
		}
	}
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	found := err != nil
	err = syncDirectory(above) // also if it was found: an earlier start may have got no further
	if found && errors.Is(err, fs.ErrPermission) {
		return nil // somebody else made it, where this process may not even look
	}
	return err
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// removeFile removes a file for good.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove file: %w", err)
	}
	return syncDirectory(filepath.Dir(path))
}

// closeAfter closes in order and joins the errors to an earlier one.
func closeAfter(err error, closers ...io.Closer) error {
	for _, c := range closers {
		err = errors.Join(err, c.Close())
	}
	return err
}

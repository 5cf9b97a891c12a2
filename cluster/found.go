package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/transport"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// Founding is what the first node of a cluster is told.
type Founding struct {
	JoinToken         string // other nodes prove that they know it
	AdminName         string // the first user, with the role admin
	AdminPasswordHash string
}

// Found makes this node the first of a new cluster. What the cluster begins with is written to the data directory first
// and becomes the first command, so that a crash at any point neither loses it nor founds two clusters.
func (n *Node) Found(f Founding) error {
	first, key, err := n.firstCommand(f)
	if err != nil {
		return err
	}
	data, err := proto.Marshal(first)
	if err != nil {
		return fmt.Errorf("encode first command: %w", err)
	}
	if err := WriteFile(filepath.Join(n.config.DataDir, foundingFile), data); err != nil {
		return writeError(n.config.DataDir, err)
	}
	certificate, err := transport.Sign(first.Cluster.CaCertificate, first.Cluster.CaKey, n.directory.ID, key, n.config.Wall())
	if err != nil {
		return fmt.Errorf("sign certificate: %w", err)
	}
	if err := n.becomeMember(first.Cluster, certificate); err != nil {
		return err
	}
	return n.Start()
}

// firstCommand makes everything random that a cluster needs: its id, its certificate authority and its keys.
func (n *Node) firstCommand(f Founding) (first *fsmpb.InitCluster, publicKey []byte, err error) {
	joinKey, err := transport.JoinKey(f.JoinToken)
	if err != nil {
		return nil, nil, err
	}
	caCertificate, caKey, err := transport.NewCA()
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate authority: %w", err)
	}
	key, err := transport.LoadOrCreateKey(filepath.Join(n.config.DataDir, tlsDir))
	if err != nil {
		return nil, nil, writeError(n.config.DataDir, fmt.Errorf("make key: %w", err))
	}
	if publicKey, err = transport.PublicKey(key); err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	return &fsmpb.InitCluster{
		Cluster: &fsmpb.Cluster{
			Id: hex.EncodeToString(randomBytes(8)), CaCertificate: caCertificate, CaKey: caKey,
			ReceiptKey: randomBytes(32), JoinKeys: []*fsmpb.JoinKey{joinKey},
		},
		SigningKey: &fsmpb.SigningKey{Id: hex.EncodeToString(randomBytes(4)), Secret: randomBytes(32)},
		AdminName:  f.AdminName, AdminPasswordHash: f.AdminPasswordHash,
		Member: n.self(),
	}, publicKey, nil
}

func randomBytes(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	return b
}

// saveCertificate keeps a certificate for this node's key.
func (n *Node) saveCertificate(c *fsmpb.Cluster, certificate []byte) (transport.Identity, error) {
	dir := filepath.Join(n.config.DataDir, tlsDir)
	key, err := transport.LoadOrCreateKey(dir)
	if err != nil {
		return transport.Identity{}, fmt.Errorf("read key: %w", err)
	}
	identity, err := transport.NewIdentity(c.Id, c.CaCertificate, certificate, key)
	if err != nil {
		return transport.Identity{}, fmt.Errorf("use certificate: %w", err)
	}
	if err := transport.Save(dir, identity); err != nil {
		return transport.Identity{}, fmt.Errorf("save certificate: %w", err)
	}
	return identity, nil
}

// becomeMember writes down for good that this node belongs to a cluster. node.json comes last: without it the rest is
// ignored.
func (n *Node) becomeMember(c *fsmpb.Cluster, certificate []byte) error {
	if _, err := n.saveCertificate(c, certificate); err != nil {
		return writeError(n.config.DataDir, err)
	}
	n.mu.Lock()
	n.directory.ClusterID = c.Id
	d := n.directory
	n.mu.Unlock()
	return writeError(n.config.DataDir, d.write(n.config.DataDir))
}

// founding reads the first command while it may not be applied yet; nil if this node has none.
func (n *Node) founding() (*fsmpb.InitCluster, error) {
	b, err := os.ReadFile(filepath.Join(n.config.DataDir, foundingFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read first command: %w", err)
	}
	first := &fsmpb.InitCluster{}
	if err := proto.Unmarshal(b, first); err != nil {
		return nil, fmt.Errorf("first command of the cluster: %w", err)
	}
	return first, nil
}

// finishFounding has the first command applied and forgets it then.
func (n *Node) finishFounding(ctx context.Context, first *fsmpb.InitCluster) {
	defer n.ended.Done()
	for n.FSM().Keys() == nil {
		_, err := n.Propose(ctx, &fsmpb.Command{Op: &fsmpb.Command_InitCluster{InitCluster: first}})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			n.log.Warn("the cluster's first command is proposed again", "error", err)
		}
	}
	if err := removeFile(filepath.Join(n.config.DataDir, foundingFile)); err != nil {
		n.log.Warn("the founding file stays behind and may be deleted", "error", err)
	}
}

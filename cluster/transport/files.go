package transport

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The files of an identity in the directory given to Save and Load.
const (
	keyFile         = "node.key" // PKCS #8, PEM, 0600
	certificateFile = "node.crt"
	authorityFile   = "ca.crt"
	clusterIDFile   = "cluster-id"
)

const (
	keyBlock         = "PRIVATE KEY"
	certificateBlock = "CERTIFICATE"
)

// LoadOrCreateKey returns the node's key in dir, and makes it first when there is none. A node keeps its key when its
// certificate is renewed, so that key and certificate never disagree after a crash between two writes.
func LoadOrCreateKey(dir string) (crypto.Signer, error) {
	key, err := loadKey(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = NewKey(); err != nil {
		return nil, err
	}
	if err := saveKey(dir, key); err != nil {
		return nil, err
	}
	return key, nil
}

// Save writes the identity into dir, each file durably and in one step. The node's certificate comes last: a directory
// without it holds no identity.
func Save(dir string, i Identity) error {
	key, ok := i.Certificate.PrivateKey.(crypto.Signer)
	if !ok || i.CA == nil || len(i.Certificate.Certificate) == 0 {
		return errors.New("save node identity: it is not complete")
	}
	if err := saveKeyOnce(dir, key); err != nil {
		return err
	}
	if err := writeFile(dir, clusterIDFile, []byte(i.ClusterID+"\n"), 0o644); err != nil {
		return err
	}
	if err := writePEM(dir, authorityFile, certificateBlock, i.CA.Raw, 0o644); err != nil {
		return err
	}
	return writePEM(dir, certificateFile, certificateBlock, i.Certificate.Certificate[0], 0o644)
}

// Load reads the identity that Save wrote. The error is fs.ErrNotExist when dir holds none.
func Load(dir string) (Identity, error) {
	certificate, err := readPEM(dir, certificateFile, certificateBlock)
	if err != nil {
		return Identity{}, err
	}
	i, err := loadRest(dir, certificate)
	if errors.Is(err, fs.ErrNotExist) {
		// Not "no identity": a node that loses one of the files must not come back as a new one.
		return Identity{}, fmt.Errorf("node identity in %s is damaged, restore the directory or join again with an empty one: %v", dir, err)
	}
	return i, err
}

func loadRest(dir string, certificate []byte) (Identity, error) {
	authority, err := readPEM(dir, authorityFile, certificateBlock)
	if err != nil {
		return Identity{}, err
	}
	clusterID, err := os.ReadFile(filepath.Join(dir, clusterIDFile))
	if err != nil {
		return Identity{}, fmt.Errorf("read cluster id: %w", err)
	}
	key, err := loadKey(dir)
	if err != nil {
		return Identity{}, err
	}
	return NewIdentity(strings.TrimSpace(string(clusterID)), authority, certificate, key)
}

// saveKeyOnce refuses to replace another key: the certificate beside it would be worthless.
func saveKeyOnce(dir string, key crypto.Signer) error {
	old, err := loadKey(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return saveKey(dir, key)
	}
	if err != nil {
		return err
	}
	a, err := MarshalKey(old)
	if err != nil {
		return err
	}
	b, err := MarshalKey(key)
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("save node key: %s already holds another one", filepath.Join(dir, keyFile))
	}
	return nil
}

func saveKey(dir string, key crypto.Signer) error {
	der, err := MarshalKey(key)
	if err != nil {
		return err
	}
	return writePEM(dir, keyFile, keyBlock, der, 0o600)
}

func loadKey(dir string) (crypto.Signer, error) {
	der, err := readPEM(dir, keyFile, keyBlock)
	if err != nil {
		return nil, err
	}
	return ParseKey(der)
}

func readPEM(dir, name, kind string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("read %s: it holds no PEM block %q", filepath.Join(dir, name), kind)
	}
	if kind == certificateBlock {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, name), err)
		}
	}
	return block.Bytes, nil
}

func writePEM(dir, name, kind string, der []byte, mode fs.FileMode) error {
	return writeFile(dir, name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

// writeFile replaces dir/name in one step that survives a power loss: temporary file, fsync, rename, fsync of dir.
func writeFile(dir, name string, data []byte, mode fs.FileMode) error {
	path := filepath.Join(dir, name)
	if err := writeTemporary(path+".tmp", data, mode); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("rename %s: %w", name, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeTemporary(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

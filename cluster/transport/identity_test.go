package transport

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSaveAndLoadIdentity(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("loading from an empty directory: %v, want fs.ErrNotExist", err)
	}
	ca := newTestCA(t, testCluster)
	key := must(LoadOrCreateKey(dir))(t)
	public := must(PublicKey(key))(t)
	cert := must(Sign(ca.cert, ca.key, "n1-abc", public, time.Now()))(t)
	saved := must(NewIdentity(testCluster, ca.cert, cert, must(LoadOrCreateKey(dir))(t)))(t)
	if err := Save(dir, saved); err != nil {
		t.Fatal(err)
	}
	got := must(Load(dir))(t)
	if got.ID != "n1-abc" || got.ClusterID != testCluster || !got.CA.Equal(saved.CA) {
		t.Errorf("loaded %s of %s, saved n1-abc of %s", got.ID, got.ClusterID, testCluster)
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v", info.Mode())
	}
	if err := Save(dir, ca.identity(t, "n1-abc")); err == nil {
		t.Error("another key replaced the node's key")
	}
}

func TestDamagedIdentityIsNotNoIdentity(t *testing.T) {
	for _, name := range []string{keyFile, authorityFile, clusterIDFile} {
		dir := t.TempDir()
		if err := Save(dir, newTestCA(t, testCluster).identity(t, "n1")); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestNewIdentityChecksItsParts(t *testing.T) {
	a, b := newTestCA(t, testCluster), newTestCA(t, testCluster)
	key, other := must(NewKey())(t), must(NewKey())(t)
	public := must(PublicKey(key))(t)
	cert := must(Sign(a.cert, a.key, "n1", public, time.Now()))(t)
	if _, err := NewIdentity(testCluster, b.cert, cert, key); err == nil {
		t.Error("a certificate of another CA was taken")
	}
	if _, err := NewIdentity(testCluster, a.cert, cert, other); err == nil {
		t.Error("a certificate for another key was taken")
	}
	if _, err := NewIdentity("", a.cert, cert, key); err == nil {
		t.Error("an empty cluster id was taken")
	}
}

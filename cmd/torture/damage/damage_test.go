package damage

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDamageIsInItsAreaAndFollowsFromTheSeed(t *testing.T) {
	files := map[Area][]string{
		Log: {"log/raft.db"}, State: {"state/g-1/000001.sst", "state/g-1/MANIFEST-000001"}, Metadata: {"node.json", "tls/node.key"},
	}
	content := append(bytes.Repeat([]byte("fastqueue"), 2000), make([]byte, 9000)...)
	make1 := func() string {
		dir := t.TempDir()
		for _, names := range files {
			for _, name := range names {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "log", "LOCK"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	hows := map[string]bool{}
	for seed := range uint64(60) {
		area := Areas()[seed%3]
		dir, again := make1(), make1()
		done, err := Random(dir, area, rand.New(rand.NewPCG(seed, 0)))
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := Random(again, area, rand.New(rand.NewPCG(seed, 0))); err != nil || twice != done {
			t.Errorf("seed %d damages %s and then %s, %v", seed, done, twice, err)
		}
		how, _, _ := strings.Cut(done.How, " byte")
		hows[how] = true
		for a, names := range files {
			for _, name := range names {
				b, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				other, err := os.ReadFile(filepath.Join(again, name))
				if err != nil || !bytes.Equal(b, other) {
					t.Errorf("seed %d: %s is damaged in two ways, %v", seed, name, err)
				}
				if damaged := !bytes.Equal(b, content); damaged != (name == done.File) || damaged && a != area {
					t.Errorf("seed %d, %s: %s is damaged: %v", seed, done, name, damaged)
				}
			}
		}
	}
	if len(hows) != len(kinds()) {
		t.Errorf("60 seeds did only %v", hows)
	}
}

package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckPasswordCountsCharacters(t *testing.T) {
	for _, c := range []struct {
		name, password string
		ok             bool
	}{
		{"seven", "sevench", false},
		{"eight", "eightchr", true},
		{"eight characters of four bytes", strings.Repeat("\U0001F511", 8), true},
		{"seven characters of four bytes", strings.Repeat("\U0001F511", 7), false},
		{"128", strings.Repeat("é", 128), true},
		{"129", strings.Repeat("é", 129), false},
		{"invalid UTF-8", "eightchr\xff", false},
		{"huge", strings.Repeat("a", 1<<20), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := CheckPassword(c.password); (err == nil) != c.ok {
				t.Fatalf("CheckPassword: %v", err)
			}
		})
	}
}

func TestHashIsVerifiedBySamePasswordOnly(t *testing.T) {
	h := NewHasher()
	hash, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("hash is %q", hash)
	}
	again, err := h.Hash(t.Context(), "correct horse")
	if err != nil || again == hash {
		t.Fatalf("the same password gave the same hash twice (%v)", err)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horsf": false, "short": false} {
		ok, err := h.Verify(t.Context(), password, hash)
		if err != nil || ok != want {
			t.Errorf("Verify(%q) = %v, %v", password, ok, err)
		}
	}
	if _, err := h.Hash(t.Context(), "short"); !errors.Is(err, ErrPassword) {
		t.Errorf("Hash of a short password: %v", err)
	}
	if err := h.VerifyUnknown(t.Context(), "correct horse"); err != nil {
		t.Errorf("VerifyUnknown: %v", err)
	}
}

func TestDamagedHashIsAnError(t *testing.T) {
	h := NewHasher()
	good := h.dummy
	for name, hash := range map[string]string{
		"empty":          "",
		"other function": strings.Replace(good, "argon2id", "argon2i", 1),
		"other version":  strings.Replace(good, "v=19", "v=16", 1),
		"no cost":        strings.Replace(good, "t=2", "t=0", 1),
		"too much cost":  strings.Replace(good, "m=19456", "m=99999999", 1),
		"cost with tail": strings.Replace(good, "p=1", "p=1x", 1),
		"no lanes":       strings.Replace(good, "p=1", "p=0", 1),
		"short key":      good[:len(good)-30],
		"bad base64":     good + "!",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := h.Verify(t.Context(), "correct horse", hash); !errors.Is(err, ErrHash) {
				t.Fatalf("Verify: %v", err)
			}
		})
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(NewHasher().dummy)
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5a2V5")
	f.Fuzz(func(t *testing.T, hash string) {
		p, err := parseHash(hash)
		if err == nil && p.String() != hash {
			t.Fatalf("%q reads as %q", hash, p)
		}
	})
}

package auth

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
)

func TestNewAPIKey(t *testing.T) {
	text, hash, hint := NewAPIKey()
	if len(text) != 47 || !strings.HasPrefix(text, "fqk_") || hint != text[:8] {
		t.Errorf("key %q, hint %q", text, hint)
	}
	if sum := sha256.Sum256([]byte(text)); !bytes.Equal(hash, sum[:]) {
		t.Errorf("hash %x is not the SHA-256 of the text", hash)
	}
	if again, ok := HashAPIKey(text); !ok || !bytes.Equal(again, hash) {
		t.Errorf("HashAPIKey: %x, %v", again, ok)
	}
	if other, _, _ := NewAPIKey(); other == text {
		t.Error("two keys are the same")
	}
}

func TestHashAPIKeyRefusesOtherShapes(t *testing.T) {
	good := "fqk_" + strings.Repeat("A", 43)
	if _, ok := HashAPIKey(good); !ok {
		t.Fatalf("%q is refused", good)
	}
	for _, text := range []string{
		"", "fqk_", good[:46], good + "A", good + "=", "fqx_" + good[4:], "FQK_" + good[4:], " " + good[:46], good[4:],
		good[:46] + "B",  // bits behind the last byte
		good[:46] + "\n", // skipped by the decoder
		good[:46] + "+",  // of the other alphabet
		good[:20] + "\x00" + good[21:],
		good[:20] + "é" + good[22:],
	} {
		if hash, ok := HashAPIKey(text); ok || hash != nil {
			t.Errorf("%q is taken for an API key", text)
		}
	}
}

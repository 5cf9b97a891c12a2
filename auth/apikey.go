package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// APIKeyPrefix begins every API key, so that people and secret scanners recognise one.
const APIKeyPrefix = "fqk_"

const (
	apiKeyBytes = 32 // random
	hintBytes   = 8  // of the text
)

// NewAPIKey makes an API key. Only its owner keeps the text; the hash finds and proves it, and the hint, how the text
// begins, lets people tell their keys apart.
func NewAPIKey() (text string, hash []byte, hint string) {
	var b [apiKeyBytes]byte
	rand.Read(b[:]) // never fails
	text = APIKeyPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return text, hashOfKey(text), text[:hintBytes]
}

// HashAPIKey returns the SHA-256 of an API key's whole text. It is false for what can't be one, whoever made it. No slow
// hash is needed: 256 random bits are not guessed.
func HashAPIKey(text string) (hash []byte, ok bool) {
	encoded, ok := strings.CutPrefix(text, APIKeyPrefix)
	if !ok || len(encoded) != base64.RawURLEncoding.EncodedLen(apiKeyBytes) {
		return nil, false
	}
	// The decoder skips line breaks, so the length of what it decodes counts too.
	if b, err := base64.RawURLEncoding.Strict().DecodeString(encoded); err != nil || len(b) != apiKeyBytes {
		return nil, false
	}
	return hashOfKey(text), true
}

func hashOfKey(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

package transport

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	tokenPrefix = "fqjoin_"
	tokenBytes  = 32
	// minTokenLength is the length of 128 random bits in base64. The first message of a join can be tried against
	// guessed tokens by whoever receives it, so a token must be beyond guessing.
	minTokenLength = 22

	joinKeyBytes   = 32
	joinKeyLabel   = "fastqueue join key v1"
	joinKeyIDBytes = 8
)

// NewJoinToken makes a join token with 256 random bits, recognisable by its prefix.
func NewJoinToken() string {
	b := make([]byte, tokenBytes)
	// crypto/rand.Read never returns an error: it ends the process when the system has no randomness.
	rand.Read(b)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// JoinKey derives from a join token the key that the cluster keeps in its place. White space around the token is
// ignored; a token with fewer than 22 characters beside the prefix is refused.
func JoinKey(token string) (*fsmpb.JoinKey, error) {
	token = strings.TrimSpace(token)
	secret := strings.TrimPrefix(token, tokenPrefix)
	if len(secret) < minTokenLength {
		return nil, fmt.Errorf("the join token has %d characters, at least %d random ones are needed: leave it out at first start and one is made, or make one with: openssl rand -base64 32",
			len(secret), minTokenLength)
	}
	key, err := hkdf.Key(sha256.New, []byte(token), nil, joinKeyLabel, joinKeyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive join key: %w", err)
	}
	sum := sha256.Sum256(key)
	return &fsmpb.JoinKey{Id: hex.EncodeToString(sum[:joinKeyIDBytes]), Key: key}, nil
}

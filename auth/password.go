package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// The limits of a password, in characters (Unicode code points).
const (
	MinPasswordLength = 8
	MaxPasswordLength = 128
)

// The cost of one hash: OWASP's second choice for argon2id, about 20 ms of one core.
const (
	hashMemoryKiB = 19 * 1024
	hashPasses    = 2
	hashLanes     = 1
	hashSaltBytes = 16
	hashKeyBytes  = 32
)

// The most that a stored hash may ask for, so that a damaged record costs no more than a refusal.
const (
	maxHashMemoryKiB = 256 * 1024
	maxHashPasses    = 16
	maxHashLanes     = 16
	maxHashField     = 64 // bytes of salt and of key
)

// ErrPassword says that a password can't be taken; its text names what is allowed.
var ErrPassword = fmt.Errorf("must be %d to %d characters of valid UTF-8", MinPasswordLength, MaxPasswordLength)

// ErrHash says that a stored hash is not one that this package made.
var ErrHash = errors.New("stored password hash is malformed")

// CheckPassword says whether a password may be set: ErrPassword unless it is 8 to 128 characters of valid UTF-8.
func CheckPassword(password string) error {
	if len(password) > MaxPasswordLength*utf8.UTFMax || !utf8.ValidString(password) {
		return ErrPassword
	}
	if n := utf8.RuneCountInString(password); n < MinPasswordLength || n > MaxPasswordLength {
		return ErrPassword
	}
	return nil
}

// Hash checks a password and returns its argon2id hash with a new random salt, as a PHC string. It takes about 20 ms and
// 19 MiB when its turn has come. Errors: ErrPassword, ErrBusy when too many callers wait, or ctx's error.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	p := parameters{memoryKiB: hashMemoryKiB, passes: hashPasses, lanes: hashLanes, salt: make([]byte, hashSaltBytes)}
	if _, err := rand.Read(p.salt); err != nil {
		return "", fmt.Errorf("password salt: %w", err)
	}
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	p.key = p.derive(password, hashKeyBytes)
	return p.String(), nil
}

// Verify says whether password is the one of hash, a PHC string made by Hash. A password that could never have been set is
// wrong at once. Errors: ErrHash, ErrBusy when too many callers wait, or ctx's error.
func (h *Hasher) Verify(ctx context.Context, password, hash string) (bool, error) {
	p, err := parseHash(hash)
	if err != nil {
		return false, err
	}
	if CheckPassword(password) != nil {
		return false, nil
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	key := p.derive(password, uint32(len(p.key)))
	return subtle.ConstantTimeCompare(key, p.key) == 1, nil
}

// VerifyUnknown takes the time of Verify for a user who does not exist, so that time does not tell who does.
func (h *Hasher) VerifyUnknown(ctx context.Context, password string) error {
	_, err := h.Verify(ctx, password, h.dummy)
	return err
}

// parameters is one hash with what is needed to make it again.
type parameters struct {
	memoryKiB, passes uint32
	lanes             uint8
	salt, key         []byte
}

func (p *parameters) derive(password string, size uint32) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.passes, p.memoryKiB, p.lanes, size)
}

// String renders the PHC string format: $argon2id$v=19$m=KiB,t=passes,p=lanes$salt$key.
func (p *parameters) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memoryKiB, p.passes, p.lanes,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// parseHash reads what String wrote.
func parseHash(hash string) (*parameters, error) {
	fields := strings.Split(hash, "$")
	if len(fields) != 6 || fields[0] != "" || fields[1] != "argon2id" || fields[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, ErrHash
	}
	var p parameters
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &p.memoryKiB, &p.passes, &p.lanes); err != nil {
		return nil, ErrHash
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.Strict().DecodeString(fields[4]); err != nil {
		return nil, ErrHash
	}
	if p.key, err = base64.RawStdEncoding.Strict().DecodeString(fields[5]); err != nil {
		return nil, ErrHash
	}
	if !p.withinLimits() || p.String() != hash {
		return nil, ErrHash
	}
	return &p, nil
}

func (p *parameters) withinLimits() bool {
	return p.memoryKiB >= 8 && p.memoryKiB <= maxHashMemoryKiB &&
		p.passes >= 1 && p.passes <= maxHashPasses &&
		p.lanes >= 1 && p.lanes <= maxHashLanes &&
		len(p.salt) >= 8 && len(p.salt) <= maxHashField &&
		len(p.key) >= 16 && len(p.key) <= maxHashField
}

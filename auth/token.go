package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MaxTokenBytes bounds a token's text; ours are about 300 bytes, more with the longest user name.
const MaxTokenBytes = 4096

// Why a token was refused. Parse functions return one of these, wrapped.
var (
	ErrTokenInvalid = errors.New("token is not valid")                  // malformed, forged, of another use or incomplete
	ErrTokenExpired = errors.New("token has expired")                   // genuine, but its time is over
	ErrTokenKey     = errors.New("token is signed with an unknown key") // perhaps a key newer than the caller's copy
)

// Key signs tokens and checks them.
type Key struct {
	ID     string // the token's kid header
	Secret []byte
}

// Claims is what both kinds of token say about their user.
type Claims struct {
	Name    string // the user's name
	User    uint64 // the user's id
	Version uint64 // the version of the user's record; a newer record ends the token
	Role    string // "admin" or "user"
	Family  uint64 // the log-in that the token descends from
	// Generation counts the refreshes of the family; a refresh token is good for one of them.
	Generation uint64
	Expires    time.Time // set by the parse functions
}

// The values of the use claim.
const (
	useAccess  = "access"
	useRefresh = "refresh"
)

// wire is the JSON of a token. Every field must be there: the pointers tell a missing number from zero.
type wire struct {
	Use        string  `json:"use"`
	User       *uint64 `json:"uid"`
	Version    *uint64 `json:"ver"`
	Role       string  `json:"role"`
	Family     *uint64 `json:"fam"`
	Generation *uint64 `json:"gen"`
	jwt.RegisteredClaims
}

// Validate is called by the parser once the signature is known to be good.
func (w *wire) Validate() error {
	if w.Use == "" || w.Subject == "" || w.Role == "" || w.User == nil || w.Version == nil || w.Family == nil ||
		w.Generation == nil || w.IssuedAt == nil {
		return errors.New("a claim is missing")
	}
	return nil
}

// SignAccess returns the access token of these claims, good for life from issuedMs (milliseconds since 1970). Equal
// arguments give equal tokens.
func SignAccess(key Key, c Claims, issuedMs int64, life time.Duration) (string, error) {
	return sign(key, c, useAccess, issuedMs, life)
}

// SignRefresh returns the refresh token of these claims, good for life from issuedMs (milliseconds since 1970). Equal
// arguments give equal tokens.
func SignRefresh(key Key, c Claims, issuedMs int64, life time.Duration) (string, error) {
	return sign(key, c, useRefresh, issuedMs, life)
}

func sign(key Key, c Claims, use string, issuedMs int64, life time.Duration) (string, error) {
	issued := time.UnixMilli(issuedMs).UTC()
	w := wire{
		Use: use, User: &c.User, Version: &c.Version, Role: c.Role, Family: &c.Family, Generation: &c.Generation,
		RegisteredClaims: jwt.RegisteredClaims{
			Subject:   c.Name,
			IssuedAt:  jwt.NewNumericDate(issued),
			ExpiresAt: jwt.NewNumericDate(issued.Add(life)),
		},
	}
	if err := w.Validate(); err != nil {
		return "", fmt.Errorf("%s token: %w", use, err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, &w)
	token.Header["kid"] = key.ID
	text, err := token.SignedString(key.Secret)
	if err != nil {
		return "", fmt.Errorf("%s token: %w", use, err)
	}
	return text, nil
}

// ParseAccess checks an access token's signature, completeness and time, and returns what it says. Errors:
// ErrTokenInvalid, ErrTokenExpired, or ErrTokenKey when none of keys made it.
func ParseAccess(keys []Key, text string, now time.Time) (Claims, error) {
	return parse(keys, text, useAccess, now)
}

// ParseRefresh is ParseAccess for refresh tokens.
func ParseRefresh(keys []Key, text string, now time.Time) (Claims, error) {
	return parse(keys, text, useRefresh, now)
}

func parse(keys []Key, text, use string, now time.Time) (Claims, error) {
	if len(text) > MaxTokenBytes {
		return Claims{}, fmt.Errorf("%w: longer than %d bytes", ErrTokenInvalid, MaxTokenBytes)
	}
	// No other algorithm is accepted than the one that sign uses, "none" above all.
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(func() time.Time { return now }))
	var w wire
	_, err := parser.ParseWithClaims(text, &w, func(t *jwt.Token) (any, error) { return secretOf(keys, t) })
	switch {
	case errors.Is(err, ErrTokenKey):
		return Claims{}, fmt.Errorf("%s token: %w", use, ErrTokenKey)
	case errors.Is(err, jwt.ErrTokenExpired) && w.Use == use:
		return Claims{}, fmt.Errorf("%s token: %w", use, ErrTokenExpired)
	case err != nil:
		return Claims{}, fmt.Errorf("%w: %w", ErrTokenInvalid, err)
	case w.Use != use:
		return Claims{}, fmt.Errorf("%w: it is no %s token", ErrTokenInvalid, use)
	}
	return Claims{Name: w.Subject, User: *w.User, Version: *w.Version, Role: w.Role, Family: *w.Family,
		Generation: *w.Generation, Expires: w.ExpiresAt.Time}, nil
}

// secretOf finds the key that the token names.
func secretOf(keys []Key, t *jwt.Token) ([]byte, error) {
	kid, ok := t.Header["kid"].(string)
	if !ok || kid == "" {
		return nil, errors.New("the kid header is missing")
	}
	for _, k := range keys {
		if k.ID == kid {
			return k.Secret, nil
		}
	}
	return nil, ErrTokenKey
}

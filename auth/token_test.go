package auth

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const testIssuedMs = 1_800_000_000_123

var (
	testKey    = Key{ID: "k1", Secret: []byte("0123456789abcdef0123456789abcdef")}
	testClaims = Claims{Name: "ada", User: 7, Version: 3, Role: "user", Family: 12, Generation: 2}
)

func issued() time.Time { return time.UnixMilli(testIssuedMs) }

func signed(t testing.TB, sign func(Key, Claims, int64, time.Duration) (string, error)) string {
	t.Helper()
	text, err := sign(testKey, testClaims, testIssuedMs, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTokenSaysWhatWasSigned(t *testing.T) {
	access, refresh := signed(t, SignAccess), signed(t, SignRefresh)
	if again := signed(t, SignAccess); again != access {
		t.Fatal("the same claims gave two tokens")
	}
	want := testClaims
	want.Expires = time.Unix(testIssuedMs/1000, 0).Add(time.Minute)
	other := Key{ID: "k0", Secret: []byte("another secret")}
	got, err := ParseAccess([]Key{other, testKey}, access, issued())
	if err != nil || got != want {
		t.Fatalf("ParseAccess = %+v, %v", got, err)
	}
	got, err = ParseRefresh([]Key{testKey}, refresh, issued())
	if err != nil || got != want {
		t.Fatalf("ParseRefresh = %+v, %v", got, err)
	}
}

func TestTokenIsRefused(t *testing.T) {
	access := signed(t, SignAccess)
	parts := strings.Split(access, ".")
	forged := Key{ID: testKey.ID, Secret: []byte("wrong")}
	forgedText, err := SignAccess(forged, testClaims, testIssuedMs, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		now        time.Time
		keys       []Key
		want       error
	}{
		{"empty", "", issued(), []Key{testKey}, ErrTokenInvalid},
		{"no token", "abc", issued(), []Key{testKey}, ErrTokenInvalid},
		{"too long", strings.Repeat("a", MaxTokenBytes+1), issued(), []Key{testKey}, ErrTokenInvalid},
		{"other use", signed(t, SignRefresh), issued(), []Key{testKey}, ErrTokenInvalid},
		{"expired", access, issued().Add(time.Minute), []Key{testKey}, ErrTokenExpired},
		{"unknown key", access, issued(), []Key{{ID: "k9", Secret: testKey.Secret}}, ErrTokenKey},
		{"no keys", access, issued(), nil, ErrTokenKey},
		{"forged", forgedText, issued(), []Key{testKey}, ErrTokenInvalid},
		{"forged and expired", forgedText, issued().Add(time.Hour), []Key{testKey}, ErrTokenInvalid},
		{"cut", access[:len(access)-2], issued(), []Key{testKey}, ErrTokenInvalid},
		{"no signature", parts[0] + "." + parts[1] + ".", issued(), []Key{testKey}, ErrTokenInvalid},
		{"alg none", unsigned(parts[1]), issued(), []Key{testKey}, ErrTokenInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ParseAccess(c.keys, c.text, c.now); !errors.Is(err, c.want) {
				t.Fatalf("ParseAccess: %v, want %v", err, c.want)
			}
		})
	}
}

// unsigned is what an attacker makes of a token: the same claims, and a header that asks for no signature.
func unsigned(claims string) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k1","typ":"JWT"}`))
	return header + "." + claims + "."
}

func TestTokenOfAnotherAlgorithmIsRefused(t *testing.T) {
	w := wire{Use: useAccess}
	token := jwt.NewWithClaims(jwt.SigningMethodHS512, &w)
	token.Header["kid"] = testKey.ID
	text, err := token.SignedString(testKey.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseAccess([]Key{testKey}, text, issued()); !errors.Is(err, ErrTokenInvalid) {
		t.Fatalf("ParseAccess: %v", err)
	}
}

func TestTokenWithoutAClaimIsRefused(t *testing.T) {
	all := jwt.MapClaims{"use": useAccess, "sub": "ada", "uid": 7, "ver": 3, "role": "user", "fam": 1, "gen": 0,
		"iat": testIssuedMs / 1000, "exp": testIssuedMs/1000 + 60}
	sign := func(claims jwt.MapClaims, header map[string]any) string {
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
		for k, v := range header {
			token.Header[k] = v
		}
		text, err := token.SignedString(testKey.Secret)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	kid := map[string]any{"kid": testKey.ID}
	if _, err := ParseAccess([]Key{testKey}, sign(all, kid), issued()); err != nil {
		t.Fatalf("with every claim: %v", err)
	}
	if _, err := ParseAccess([]Key{testKey}, sign(all, nil), issued()); !errors.Is(err, ErrTokenInvalid) {
		t.Errorf("without kid: %v", err)
	}
	for missing := range all {
		some := jwt.MapClaims{}
		for k, v := range all {
			if k != missing {
				some[k] = v
			}
		}
		if _, err := ParseAccess([]Key{testKey}, sign(some, kid), issued()); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(signed(f, SignAccess))
	f.Add(signed(f, SignRefresh))
	f.Add(unsigned("e30"))
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseAccess([]Key{testKey}, text, issued())
		if err == nil && (c.Name != testClaims.Name || c.User != testClaims.User) {
			t.Fatalf("a token was made up: %+v", c)
		}
	})
}

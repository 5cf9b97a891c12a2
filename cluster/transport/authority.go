package transport

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"
)

const (
	authorityLife   = 20 * 365 * 24 * time.Hour
	certificateLife = 365 * 24 * time.Hour
	// clockTolerance is how far certificates are dated back, for members whose clocks are behind the signer's.
	clockTolerance = 24 * time.Hour
	serialBits     = 127
)

// NewKey makes the private key of a node or of a CA (ECDSA P-256).
func NewKey() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return key, nil
}

// MarshalKey encodes a private key as PKCS #8.
func MarshalKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode private key: %w", err)
	}
	return der, nil
}

// ParseKey decodes a PKCS #8 private key.
func ParseKey(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("parse private key: a %T cannot sign", key)
	}
	return signer, nil
}

// PublicKey encodes the public half of key as PKIX, the form that Sign and a join request take.
func PublicKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	return der, nil
}

// NewCA makes the certificate authority of a new cluster: a self-signed certificate (DER), good for 20 years from now,
// and its private key (PKCS #8).
func NewCA() (certDER, keyPKCS8 []byte, err error) {
	key, err := NewKey()
	if err != nil {
		return nil, nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "FastQueue cluster CA"},
		NotBefore:             now.Add(-clockTolerance),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	certDER, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("create CA certificate: %w", err)
	}
	keyPKCS8, err = MarshalKey(key)
	if err != nil {
		return nil, nil, err
	}
	return certDER, keyPKCS8, nil
}

// Sign makes the certificate (DER) of the member id for the public key (PKIX) that it keeps, good for one year from now.
// caCert is DER and caKey PKCS #8, as NewCA returns them.
func Sign(caCert, caKey []byte, id string, publicKey []byte, now time.Time) (certDER []byte, err error) {
	if id == "" {
		return nil, errors.New("sign certificate: the member id is empty")
	}
	ca, err := x509.ParseCertificate(caCert)
	if err != nil {
		return nil, fmt.Errorf("parse CA certificate: %w", err)
	}
	signer, err := ParseKey(caKey)
	if err != nil {
		return nil, err
	}
	public, err := x509.ParsePKIXPublicKey(publicKey)
	if err != nil {
		return nil, fmt.Errorf("parse public key of %s: %w", id, err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	certDER, err = x509.CreateCertificate(rand.Reader, nodeTemplate(id, serial, now), ca, public, signer)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", id, err)
	}
	return certDER, nil
}

// nodeTemplate carries the id as common name: ids are no DNS names, and addresses change without a new certificate.
func nodeTemplate(id string, serial *big.Int, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: id},
		NotBefore:             now.Add(-clockTolerance),
		NotAfter:              now.Add(certificateLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
}

func newSerial() (*big.Int, error) {
	limit := new(big.Int).Lsh(big.NewInt(1), serialBits)
	serial, err := rand.Int(rand.Reader, limit)
	if err != nil {
		return nil, fmt.Errorf("certificate serial number: %w", err)
	}
	return serial, nil
}

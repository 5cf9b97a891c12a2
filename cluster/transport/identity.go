package transport

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Identity is what makes a node a member. The zero Identity belongs to no cluster: only join is served with it.
type Identity struct {
	ClusterID   string
	ID          string // raft server id, the common name of the certificate
	CA          *x509.Certificate
	Certificate tls.Certificate
}

// NewIdentity puts an Identity together from the CA's and the node's certificate (both DER) and the node's key. It
// refuses a certificate that is not of this CA or not for this key; the id is read from the certificate.
func NewIdentity(clusterID string, caDER, certDER []byte, key crypto.Signer) (Identity, error) {
	if clusterID == "" {
		return Identity{}, errors.New("node identity: the cluster id is empty")
	}
	ca, err := x509.ParseCertificate(caDER)
	if err != nil {
		return Identity{}, fmt.Errorf("parse CA certificate: %w", err)
	}
	// The CA has signed itself. Its file may be damaged where nothing else would tell, but in connections to others.
	if err := ca.CheckSignature(ca.SignatureAlgorithm, ca.RawTBSCertificate, ca.Signature); err != nil {
		return Identity{}, fmt.Errorf("the CA certificate is damaged: %w", err)
	}
	leaf, err := x509.ParseCertificate(certDER)
	if err != nil {
		return Identity{}, fmt.Errorf("parse node certificate: %w", err)
	}
	public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(key.Public()) {
		return Identity{}, errors.New("node identity: the certificate was not made for the node's key")
	}
	// Expiry is not looked at here: a node must be able to start and say that its certificate ended.
	if err := leaf.CheckSignatureFrom(ca); err != nil {
		return Identity{}, fmt.Errorf("node certificate is not of the cluster's CA: %w", err)
	}
	return Identity{
		ClusterID:   clusterID,
		ID:          leaf.Subject.CommonName,
		CA:          ca,
		Certificate: tls.Certificate{Certificate: [][]byte{certDER}, PrivateKey: key, Leaf: leaf},
	}, nil
}

// member is an Identity ready for use: the pool is built once. It is never changed after it was published.
type member struct {
	Identity
	roots *x509.CertPool
}

func newMember(i Identity) *member {
	m := &member{Identity: i, roots: x509.NewCertPool()}
	if i.CA != nil {
		m.roots.AddCert(i.CA)
	}
	return m
}

// belongs tells whether the node is a member of a cluster.
func (m *member) belongs() bool { return m.ID != "" && m.ClusterID != "" && m.CA != nil }

// peerID checks the other side's certificate against the cluster's CA and returns the id in it.
func (m *member) peerID(state tls.ConnectionState, usage x509.ExtKeyUsage) (string, error) {
	if len(state.PeerCertificates) == 0 {
		return "", errors.New("no certificate was shown")
	}
	leaf := state.PeerCertificates[0]
	_, err := leaf.Verify(x509.VerifyOptions{Roots: m.roots, KeyUsages: []x509.ExtKeyUsage{usage}})
	if err != nil {
		return "", fmt.Errorf("certificate is not accepted: %w", err)
	}
	if leaf.IsCA || leaf.Subject.CommonName == "" {
		return "", errors.New("certificate is not one of a member")
	}
	return leaf.Subject.CommonName, nil
}

// serverConfig asks for a client certificate without requiring one, because join has none; the preamble decides.
func (m *member) serverConfig(ephemeral tls.Certificate) *tls.Config {
	certificate := ephemeral
	if m.belongs() {
		certificate = m.Certificate
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{certificate},
		ClientAuth:             tls.RequestClientCert,
		SessionTicketsDisabled: true, // every connection shows its certificate
	}
}

// clientConfig accepts exactly the member id as server, whatever its address.
func (m *member) clientConfig(id string) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{m.Certificate},
		// The names in certificates are ids, not host names: the check below replaces the one by host name.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			peer, err := m.peerID(state, x509.ExtKeyUsageServerAuth)
			if err != nil {
				return err
			}
			if peer != id {
				return fmt.Errorf("%s answered in place of %s", peer, id)
			}
			return nil
		},
	}
}

// ephemeralCertificate serves join on a node that has no certificate yet. Nobody verifies it: the exporter of the TLS
// session is what the join proofs are bound to.
func ephemeralCertificate() (tls.Certificate, error) {
	key, err := NewKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	template := nodeTemplate("fastqueue-join", big.NewInt(1), time.Now())
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("create ephemeral certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

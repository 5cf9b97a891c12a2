package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/cluster/transport"
)

const (
	renewEvery = 12 * time.Hour
	renewLimit = 30 * time.Second
	// renewBefore is how much of a certificate's year is left when it is renewed: four months to notice that it fails.
	renewBefore = 120 * 24 * time.Hour
)

// renewCertificate keeps this node's certificate from expiring.
func (n *Node) renewCertificate(ctx context.Context) {
	defer n.ended.Done()
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		if err := n.renewIfDue(ctx); err != nil && ctx.Err() == nil {
			n.log.Error("the certificate of the cluster port was not renewed; it is tried again", "every", renewEvery, "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// renewIfDue asks the leader for another certificate of the same key if the present one ends soon. Connections that are
// open keep the old one, new ones are made with the new one.
func (n *Node) renewIfDue(ctx context.Context) error {
	dir := filepath.Join(n.config.DataDir, tlsDir)
	present, err := transport.Load(dir)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	if present.Certificate.Leaf.NotAfter.Sub(n.config.Wall()) > renewBefore {
		return nil
	}
	public, err := n.publicKey()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, renewLimit)
	defer cancel()
	for {
		resp, failure := n.request(ctx, &clusterpb.Request{Op: &clusterpb.Request_Admit{
			Admit: &clusterpb.Admit{Member: n.self(), PublicKey: public},
		}})
		if failure == nil {
			return n.useCertificate(resp.GetAdmit())
		}
		if failure.Code == codeRefused || failure.Code == codeRemoved || !n.pause(ctx) {
			return n.explain(failure)
		}
	}
}

func (n *Node) useCertificate(admitted *clusterpb.AdmitResult) error {
	renewed, err := n.saveCertificate(admitted.Cluster, admitted.Certificate)
	if _, disk := errors.AsType[*StorageError](writeError(n.config.DataDir, err)); disk {
		n.config.Exit(ExitStorage, storageAdvice(n.config.DataDir, err))
	}
	if err != nil {
		return err
	}
	n.useIdentity(renewed)
	n.log.Info("certificate renewed", "until", renewed.Certificate.Leaf.NotAfter)
	return nil
}

// useIdentity has the cluster port use a certificate. Members refuse one that has ended, so that no other could be asked
// for then.
func (n *Node) useIdentity(i transport.Identity) {
	n.port.SetIdentity(i)
	ends := i.Certificate.Leaf.NotAfter
	n.certificateEnds.Store(ends.UnixMilli())
	n.authorityEnds.Store(i.CA.NotAfter.UnixMilli())
	if n.config.Wall().After(ends) {
		n.log.Error("the certificate of this node has ended: " + certificateAdvice)
	}
}

// certificateAdvice is what to do about a certificate that has ended.
const certificateAdvice = "if this machine's clock is right, stop the node, move its data directory away and join again with an empty one (fastqueue join)"

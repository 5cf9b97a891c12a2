package transport

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

// A join is one message each way: length (4 bytes, big-endian) and protobuf. Each carries a proof, a MAC under the join
// key over who speaks, the exporter value of this very TLS session, and the bytes of the message beside the proof. The
// exporter differs for the two sessions of someone in the middle, so a proof can't be passed on.
const (
	exporterLabel = "EXPORTER-fastqueue-join-v1"
	exporterBytes = 32

	roleJoiner = "joiner"
	roleMember = "member"

	// Field numbers of the proofs in cluster.proto.
	requestProof  = protowire.Number(1)
	responseProof = protowire.Number(2)

	maxJoinRequest = 4 << 10
	// maxJoinResponse is larger because it lists the members, and is read only by a node that asked for it.
	maxJoinResponse = 64 << 10
)

// exporter is the value that both ends of one TLS session know, and nobody else.
func exporter(state tls.ConnectionState) ([]byte, error) {
	value, err := state.ExportKeyingMaterial(exporterLabel, nil, exporterBytes)
	if err != nil {
		return nil, fmt.Errorf("export keying material: %w", err)
	}
	return value, nil
}

// prove is the MAC of a message whose bytes without the proof are body.
func prove(key []byte, role string, exporter, body []byte) []byte {
	sum := sha256.Sum256(body)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(role)) // a hash never returns an error
	mac.Write(exporter)
	mac.Write(sum[:])
	return mac.Sum(nil)
}

// sealed encodes m, which has no proof, and adds one in field.
func sealed(m proto.Message, field protowire.Number, key []byte, role string, exporter []byte) ([]byte, error) {
	body, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode join message: %w", err)
	}
	proof := prove(key, role, exporter, body)
	return protowire.AppendBytes(protowire.AppendTag(body, field, protowire.BytesType), proof), nil
}

// without returns the bytes of an encoded message beside one field. Working on the bytes as they came, instead of
// encoding again, keeps a proof good when the other release knows more fields.
func without(raw []byte, field protowire.Number) ([]byte, error) {
	body := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		number, _, n := protowire.ConsumeField(raw)
		if n < 0 {
			return nil, fmt.Errorf("decode join message: %w", protowire.ParseError(n))
		}
		if number != field {
			body = append(body, raw[:n]...)
		}
		raw = raw[n:]
	}
	return body, nil
}

// decodeJoinRequest returns the request and the bytes that its proof covers.
func decodeJoinRequest(raw []byte) (*clusterpb.JoinRequest, []byte, error) {
	req := new(clusterpb.JoinRequest)
	if err := proto.Unmarshal(raw, req); err != nil {
		return nil, nil, fmt.Errorf("decode join request: %w", err)
	}
	body, err := without(raw, requestProof)
	return req, body, err
}

// decodeJoinResponse returns the response and the bytes that its proof covers.
func decodeJoinResponse(raw []byte) (*clusterpb.JoinResponse, []byte, error) {
	resp := new(clusterpb.JoinResponse)
	if err := proto.Unmarshal(raw, resp); err != nil {
		return nil, nil, fmt.Errorf("decode join response: %w", err)
	}
	body, err := without(raw, responseProof)
	return resp, body, err
}

func writeMessage(w io.Writer, b []byte, limit int) error {
	if len(b) > limit {
		return fmt.Errorf("write join message: %d bytes, at most %d are allowed", len(b), limit)
	}
	framed := append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
	if _, err := w.Write(framed); err != nil {
		return fmt.Errorf("write join message: %w", err)
	}
	return nil
}

// errTooLong is a length beyond the limit, before anything of that length is read or allocated.
var errTooLong = errors.New("message is too long")

func readMessage(r io.Reader, limit int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("read join message: %w", err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if int64(n) > int64(limit) {
		return nil, fmt.Errorf("read join message: %w: %d bytes, at most %d are allowed", errTooLong, n, limit)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("read join message: %w", err)
	}
	return b, nil
}

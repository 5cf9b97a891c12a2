package cluster

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// ask makes one try to have an encoded command applied.
type ask func(ctx context.Context, command []byte) (*fsmpb.Result, *Error)

// repeat has a command that is harmless twice applied: it asks until there is an answer, a refusal that stays, or no more
// patience.
func (n *Node) repeat(ctx context.Context, c *fsmpb.Command, try ask, patience func(context.Context) bool) (*fsmpb.Result, *Error) {
	data, err := proto.Marshal(c)
	if err != nil {
		return nil, &Error{Code: codeRefused, Detail: fmt.Sprintf("encode command: %v", err)}
	}
	return n.askUntilAnswered(ctx, data, try, patience)
}

// repeatNumbered is repeat for any other command. All tries carry one number, so that they have one effect together. When
// the state can't tell any more whether an earlier try had it, the outcome is unknown; a first try that is refused so was
// not applied, and the command gets another number. lossy says that a second effect would be tolerable: then it does
// so always.
func (n *Node) repeatNumbered(ctx context.Context, s *session, c *fsmpb.Command, lossy bool, try ask, patience func(context.Context) bool) (*fsmpb.Result, *Error) {
	data, encodeErr := proto.Marshal(c)
	if encodeErr != nil {
		return nil, &Error{Code: codeRefused, Detail: fmt.Sprintf("encode command: %v", encodeErr)}
	}
	unknown := false
	for {
		t, err := s.begin(ctx)
		if err != nil {
			return nil, err.orUnknown(unknown)
		}
		tries := 0
		result, err := n.askUntilAnswered(ctx, t.numbered(data), func(ctx context.Context, command []byte) (*fsmpb.Result, *Error) {
			tries++
			result, err := try(ctx, command)
			unknown = unknown || err != nil && err.Unknown
			return result, err
		}, patience)
		s.end(t)
		if result.GetRemembered() == fsmpb.Remembered_BY_SESSION && tries > 1 {
			n.config.Metrics.repeatsRemembered.Inc()
		}
		switch code := result.GetError().GetCode(); {
		case err != nil:
			return nil, err.orUnknown(unknown)
		case code != fsm.CodeStale && code != fsm.CodeNoSession:
			return result, nil
		case unknown && !lossy:
			return nil, errUnknown("an earlier try may have been applied, and the cluster does not remember it any more")
		case code == fsm.CodeNoSession:
			s.lapse(t)
		}
	}
}

// askUntilAnswered asks again what has no answer yet: it was not proposed, or nobody knows.
func (n *Node) askUntilAnswered(ctx context.Context, command []byte, try ask, patience func(context.Context) bool) (*fsmpb.Result, *Error) {
	unknown := false
	for {
		result, err := try(ctx, command)
		if err == nil {
			return result, nil
		}
		unknown = unknown || err.Unknown
		if err.final() || !patience(ctx) {
			return nil, err.orUnknown(unknown)
		}
		if err.Unknown {
			n.config.Metrics.repeats.Inc()
		}
	}
}

// proposeOnce makes one try with the member that this node takes for the leader.
func (n *Node) proposeOnce(ctx context.Context, command []byte) (*fsmpb.Result, *Error) {
	resp, err := n.request(ctx, proposeRequest(command))
	return resp.GetPropose(), err
}

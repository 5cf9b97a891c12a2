package fsm

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// applyEntry applies the commands of one log entry in order and returns one result for each.
func (s *state) applyEntry(index uint64, data []byte) []*fsmpb.Result {
	entry := &fsmpb.Entry{}
	if err := decodeShared(data, entry); err != nil {
		s.corrupt(fmt.Errorf("log entry %d: %w", index, err))
	}
	s.advance(entry.NowMs)
	results := make([]*fsmpb.Result, len(entry.Commands))
	for i, data := range entry.Commands {
		command, err := decodeCommand(data)
		if err != nil {
			s.corrupt(fmt.Errorf("command %d of log entry %d: %w", i, index, err))
		}
		results[i] = s.applyOnce(i, command)
	}
	s.rememberNumbered(s.addToHash(index, results))
	return results
}

// applyCommand is one line for each command. An unknown one was written by a newer program: better a stopped replica
// than a diverged one.
func (s *state) applyCommand(c *fsmpb.Command) *fsmpb.Result {
	switch op := c.Op.(type) {
	case *fsmpb.Command_Tick:
		return &fsmpb.Result{}
	case *fsmpb.Command_InitCluster:
		return s.applyInitCluster(op.InitCluster)
	case *fsmpb.Command_PutMember:
		return s.applyPutMember(op.PutMember)
	case *fsmpb.Command_RemoveMember:
		return s.applyRemoveMember(op.RemoveMember)
	case *fsmpb.Command_RegisterSession:
		return s.applyRegisterSession(op.RegisterSession)
	case *fsmpb.Command_RegisterUser:
		return s.applyRegisterUser(c.Principal, op.RegisterUser)
	case *fsmpb.Command_Login:
		return s.applyLogin(op.Login)
	case *fsmpb.Command_RefreshToken:
		return s.applyRefreshToken(op.RefreshToken)
	case *fsmpb.Command_ChangePassword:
		return s.applyChangePassword(op.ChangePassword)
	case *fsmpb.Command_DeleteUser:
		return s.applyDeleteUser(op.DeleteUser)
	case *fsmpb.Command_Logout:
		return s.applyLogout(op.Logout)
	case *fsmpb.Command_ResetPassword:
		return s.applyResetPassword(c.Principal, op.ResetPassword)
	case *fsmpb.Command_ReleaseMessage:
		return s.applyReleaseMessage(op.ReleaseMessage)
	}
	user, err := s.caller(c.Principal)
	if err != nil {
		return &fsmpb.Result{Error: err}
	}
	switch op := c.Op.(type) {
	case *fsmpb.Command_PutJoinKey:
		return s.applyPutJoinKey(c.Principal, user, op.PutJoinKey)
	case *fsmpb.Command_RemoveJoinKey:
		return s.applyRemoveJoinKey(user, op.RemoveJoinKey)
	case *fsmpb.Command_SetRole:
		return s.applySetRole(c.Principal, user, op.SetRole)
	case *fsmpb.Command_CreateApiKey:
		return s.applyCreateAPIKey(c.Principal, user, op.CreateApiKey)
	case *fsmpb.Command_DeleteApiKey:
		return s.applyDeleteAPIKey(user, op.DeleteApiKey)
	case *fsmpb.Command_TouchApiKey:
		return &fsmpb.Result{} // caller has noted the use
	case *fsmpb.Command_CreateQueue:
		return s.applyCreateQueue(user, op.CreateQueue)
	case *fsmpb.Command_UpdateQueue:
		return s.applyUpdateQueue(op.UpdateQueue)
	case *fsmpb.Command_DeleteQueue:
		return s.applyDeleteQueue(op.DeleteQueue)
	case *fsmpb.Command_PurgeQueue:
		return s.applyPurgeQueue(op.PurgeQueue)
	case *fsmpb.Command_SendMessage:
		return s.applySendOnce(user, op.SendMessage)
	case *fsmpb.Command_ReceiveMessage:
		return s.applyReceiveMessage(op.ReceiveMessage)
	case *fsmpb.Command_DeleteMessage:
		return s.applyDeleteMessage(op.DeleteMessage)
	case *fsmpb.Command_ChangeVisibility:
		return s.applyChangeVisibility(op.ChangeVisibility)
	}
	s.corrupt(fmt.Errorf("a log entry holds a command that this version does not know; run the version that the other members run"))
	return nil
}

// addToHash carries the running hash over the results on, so that replicas can be compared, and returns the results
// encoded.
func (s *state) addToHash(index uint64, results []*fsmpb.Result) [][]byte {
	h := fnv.New64a()
	var b []byte
	b = binary.BigEndian.AppendUint64(b, s.hash)
	b = binary.BigEndian.AppendUint64(b, index)
	b = binary.BigEndian.AppendUint64(b, uint64(s.now))
	encoded, ends := make([][]byte, len(results)), make([]int, len(results))
	first := len(b)
	var err error
	for i, r := range results {
		if b, err = appendTo(b, r); err != nil {
			s.corrupt(fmt.Errorf("result of log entry %d: %w", index, err))
		}
		ends[i] = len(b)
	}
	for i, end := range ends {
		encoded[i], first = b[first:end:end], end
	}
	h.Write(b)
	s.hash = h.Sum64()
	return encoded
}

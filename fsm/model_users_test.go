package fsm

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

type modelUser struct {
	*fsmpb.User
	families map[uint64]*fsmpb.TokenFamily
}

// command is who may do what, and what it does.
func (m *model) command(c *fsmpb.Command) *fsmpb.Result {
	switch op := c.Op.(type) {
	case *fsmpb.Command_Tick:
		return &fsmpb.Result{}
	case *fsmpb.Command_InitCluster:
		if len(m.users) > 0 {
			return coded(CodeInvalid)
		}
		m.register(op.InitCluster.AdminName, RoleAdmin)
		m.member[op.InitCluster.Member.Id] = true
		return &fsmpb.Result{}
	case *fsmpb.Command_PutMember:
		m.member[op.PutMember.Member.Id] = true
		return &fsmpb.Result{}
	case *fsmpb.Command_RemoveMember:
		delete(m.member, op.RemoveMember.Id)
		m.forget(func(l *modelList) bool { return l.member == op.RemoveMember.Id })
		return &fsmpb.Result{}
	case *fsmpb.Command_RegisterSession:
		return m.registerSession(op.RegisterSession)
	case *fsmpb.Command_RegisterUser:
		if code := m.mayRegister(c.Principal, op.RegisterUser.ByAdmin); code != "" {
			return coded(code)
		}
		if m.users[op.RegisterUser.Name] != nil {
			return coded(CodeUserExists)
		}
		return showUser(m.register(op.RegisterUser.Name, RoleUser))
	case *fsmpb.Command_Login:
		return m.login(op.Login.User)
	case *fsmpb.Command_RefreshToken:
		return m.refresh(op.RefreshToken)
	case *fsmpb.Command_Logout:
		m.endFamily(m.family(op.Logout.User, op.Logout.Family))
		return &fsmpb.Result{}
	case *fsmpb.Command_ChangePassword:
		return m.changePassword(op.ChangePassword.User)
	case *fsmpb.Command_DeleteUser:
		return m.deleteUser(op.DeleteUser.User)
	case *fsmpb.Command_ReleaseMessage:
		return m.release(op.ReleaseMessage.Receipts)
	}
	u, key := m.identify(c.Principal)
	if u == nil {
		return coded(CodeUnauthenticated)
	}
	if key != nil {
		m.noteUse(key)
	}
	switch op := c.Op.(type) {
	case *fsmpb.Command_SetRole:
		return m.setRole(u, key != nil, op.SetRole)
	case *fsmpb.Command_CreateApiKey:
		return m.createKey(u, key != nil, op.CreateApiKey)
	case *fsmpb.Command_DeleteApiKey:
		return m.deleteKey(u, op.DeleteApiKey)
	case *fsmpb.Command_TouchApiKey:
		return &fsmpb.Result{}
	}
	return m.queueCommand(u, c)
}

// queueCommand is what every user may do.
func (m *model) queueCommand(u *modelUser, c *fsmpb.Command) *fsmpb.Result {
	if op := c.GetCreateQueue(); op != nil {
		return m.createQueue(op.Name, op.Settings)
	}
	named := c.GetUpdateQueue().GetName() + c.GetDeleteQueue().GetName() + c.GetPurgeQueue().GetName() +
		c.GetSendMessage().GetQueue() + c.GetReceiveMessage().GetQueue() + c.GetDeleteMessage().GetQueue() + c.GetChangeVisibility().GetQueue()
	q := m.queues[named]
	if q == nil {
		return coded(CodeQueueNotFound)
	}
	switch op := c.Op.(type) {
	case *fsmpb.Command_UpdateQueue:
		return m.updateQueue(op.UpdateQueue)
	case *fsmpb.Command_DeleteQueue:
		delete(m.queues, named)
		return &fsmpb.Result{}
	case *fsmpb.Command_PurgeQueue:
		q.messages = nil
		return m.showQueue(named)
	case *fsmpb.Command_SendMessage:
		return m.sendOnce(u, q, op.SendMessage)
	case *fsmpb.Command_ReceiveMessage:
		return m.receive(q, op.ReceiveMessage)
	case *fsmpb.Command_DeleteMessage:
		errors := m.deleteAll(q, op.DeleteMessage.Receipts)
		return &fsmpb.Result{Value: &fsmpb.Result_Delete{Delete: &fsmpb.DeleteResult{Errors: errors}}}
	case *fsmpb.Command_ChangeVisibility:
		errors := m.changeVisibility(q, op.ChangeVisibility.Changes)
		return &fsmpb.Result{Value: &fsmpb.Result_ChangeVisibility{ChangeVisibility: &fsmpb.DeleteResult{Errors: errors}}}
	}
	panic(fmt.Sprintf("the model does not know %T", c.Op))
}

// identify returns the user that a principal is worth, and the API key that it is.
func (m *model) identify(p *fsmpb.Principal) (*modelUser, *fsmpb.APIKey) {
	if len(p.GetApiKey()) > 0 {
		i := slices.IndexFunc(m.keys, func(k *fsmpb.APIKey) bool { return bytes.Equal(k.Hash, p.ApiKey) })
		if i < 0 || m.keys[i].ExpiresMs != 0 && m.keys[i].ExpiresMs <= m.now {
			return nil, nil
		}
		return m.byID(m.keys[i].User), m.keys[i]
	}
	u := m.byID(p.GetUser())
	if _, ended := m.ended[p.GetFamily()]; ended || u == nil || u.Version != p.GetVersion() {
		return nil, nil
	}
	return u, nil
}

func (m *model) byID(id uint64) *modelUser {
	for _, u := range m.users {
		if u.Id == id {
			return u
		}
	}
	return nil
}

func (m *model) admins() (n int) {
	for _, u := range m.users {
		if u.Role == RoleAdmin {
			n++
		}
	}
	return n
}

// noteUse records the hour of a key's use, and that the clock is to move on when it is over.
func (m *model) noteUse(k *fsmpb.APIKey) {
	hour := m.now - m.now%time.Hour.Milliseconds()
	if k.LastUsedMs < hour {
		k.LastUsedMs = hour
		m.due[store.Due{At: hour + time.Hour.Milliseconds(), Kind: store.DueClock}] = true
	}
}

func (m *model) register(name, role string) *modelUser {
	u := &modelUser{&fsmpb.User{Id: m.newID(), Name: name, Version: 1, Role: role, CreatedMs: m.now}, map[uint64]*fsmpb.TokenFamily{}}
	m.users[name] = u
	return u
}

func (m *model) mayRegister(p *fsmpb.Principal, byAdmin bool) (code string) {
	if !byAdmin {
		return ""
	}
	u, key := m.identify(p)
	if u == nil {
		return CodeUnauthenticated
	}
	if key != nil {
		m.noteUse(key)
	}
	if u.Role != RoleAdmin {
		return CodeForbidden
	}
	return ""
}

func showUser(u *modelUser) *fsmpb.Result {
	return &fsmpb.Result{Value: &fsmpb.Result_User{User: &fsmpb.User{
		Id: u.Id, Name: u.Name, Version: u.Version, Role: u.Role, ApiKeys: u.ApiKeys, CreatedMs: u.CreatedMs,
	}}}
}

func (m *model) changePassword(p *fsmpb.Principal) *fsmpb.Result {
	u, _ := m.identify(p)
	if u == nil {
		return coded(CodeUserChanged)
	}
	u.Version++
	clear(u.families)
	return showUser(u)
}

func (m *model) deleteUser(p *fsmpb.Principal) *fsmpb.Result {
	u, _ := m.identify(p)
	switch {
	case u == nil:
		return coded(CodeUserChanged)
	case u.Role == RoleAdmin && m.admins() == 1:
		return coded(CodeLastAdmin)
	}
	for _, k := range m.keysOf(u) {
		m.dropKey(k)
	}
	m.forget(func(l *modelList) bool { return l.id == u.Id })
	delete(m.users, u.Name)
	return showUser(u)
}

func (m *model) setRole(caller *modelUser, withKey bool, c *fsmpb.SetRole) *fsmpb.Result {
	u := m.users[c.Name]
	switch {
	case caller.Role != RoleAdmin, withKey && c.Role == RoleAdmin:
		return coded(CodeForbidden)
	case u == nil:
		return coded(CodeUserNotFound)
	case c.Role == RoleUser && u.Role == RoleAdmin && m.admins() == 1:
		return coded(CodeLastAdmin)
	}
	u.Role = c.Role
	return showUser(u)
}

func (m *model) createKey(u *modelUser, withKey bool, c *fsmpb.CreateAPIKey) *fsmpb.Result {
	switch {
	case withKey:
		return coded(CodeForbidden)
	case slices.ContainsFunc(m.keys, func(k *fsmpb.APIKey) bool { return bytes.Equal(k.Hash, c.Hash) }):
		return coded(CodeInvalid)
	case len(m.keysOf(u)) >= MaxAPIKeysPerUser:
		return coded(CodeLimitReached)
	}
	k := &fsmpb.APIKey{Id: m.newID(), User: u.Id, UserName: u.Name, Name: c.Name, Hash: c.Hash, CreatedMs: m.now}
	if c.ExpiresInDays > 0 {
		k.ExpiresMs = m.now + int64(c.ExpiresInDays)*24*time.Hour.Milliseconds()
		m.due[expiryDue(k)] = true
	}
	m.keys = append(m.keys, k)
	u.ApiKeys++
	public := proto.CloneOf(k)
	public.Hash = nil
	return &fsmpb.Result{Value: &fsmpb.Result_ApiKey{ApiKey: public}}
}

func (m *model) deleteKey(caller *modelUser, c *fsmpb.DeleteAPIKey) *fsmpb.Result {
	owner := caller
	if c.UserName != "" && c.UserName != caller.Name {
		if caller.Role != RoleAdmin {
			return coded(CodeForbidden)
		}
		if owner = m.users[c.UserName]; owner == nil {
			return coded(CodeUserNotFound)
		}
	}
	for _, k := range m.keysOf(owner) {
		if k.Id == c.Id {
			m.dropKey(k)
			owner.ApiKeys--
			return &fsmpb.Result{}
		}
	}
	return coded(CodeAPIKeyNotFound)
}

func (m *model) keysOf(u *modelUser) (keys []*fsmpb.APIKey) {
	for _, k := range m.keys {
		if k.User == u.Id {
			keys = append(keys, k)
		}
	}
	return keys
}

func (m *model) dropKey(k *fsmpb.APIKey) {
	delete(m.due, expiryDue(k))
	m.keys = slices.DeleteFunc(m.keys, func(o *fsmpb.APIKey) bool { return o == k })
}

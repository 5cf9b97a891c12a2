package fsm

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// This file has the words of the scenarios about users, log-ins, roles, API keys and join tokens.

func (s *scenario) user(name string) *fsmpb.Principal {
	v := s.fsm.View()
	defer v.Close()
	u := v.User(name)
	if u == nil {
		return &fsmpb.Principal{User: 999, Version: 1}
	}
	return &fsmpb.Principal{Name: u.Name, User: u.Id, Version: u.Version}
}

func (s *scenario) userCommand(verb string, args []string, a arguments) string {
	switch verb {
	case "register":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_RegisterUser{RegisterUser: &fsmpb.RegisterUser{
			Name: args[0], PasswordHash: "h", ByAdmin: a.options["by-admin"] == "true",
		}}})
	case "change-password":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_ChangePassword{ChangePassword: &fsmpb.ChangePassword{User: s.user(args[0]), PasswordHash: "h2"}}})
	case "delete-user":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_DeleteUser{DeleteUser: &fsmpb.DeleteUser{User: s.user(args[0])}}})
	case "login":
		return s.tokens(&fsmpb.Command{Op: &fsmpb.Command_Login{Login: &fsmpb.Login{User: s.user(args[0])}}})
	case "logout":
		f := s.families[s.index(args[0], "f", len(s.families))]
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_Logout{Logout: &fsmpb.Logout{User: f.User, Family: f.Id}}})
	case "set-role":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_SetRole{SetRole: &fsmpb.SetRole{Name: args[0], Role: args[1]}}})
	case "reset-password":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_ResetPassword{ResetPassword: &fsmpb.ResetPassword{
			Name: args[0], PasswordHash: "h3", Local: a.options["local"] == "true",
		}}})
	case "create-api-key":
		return s.createAPIKey(args[0], a)
	case "delete-api-key":
		id := uint64(999)
		if i, err := strconv.Atoi(strings.TrimPrefix(args[0], "k")); err == nil && i <= len(s.keys) {
			id = s.keys[i-1].Id
		}
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_DeleteApiKey{DeleteApiKey: &fsmpb.DeleteAPIKey{Id: id, UserName: a.options["user"]}}})
	case "touch":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_TouchApiKey{TouchApiKey: &fsmpb.TouchAPIKey{}}})
	case "put-join-key":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_PutJoinKey{PutJoinKey: &fsmpb.PutJoinKey{
			JoinKey: &fsmpb.JoinKey{Id: args[0], Key: []byte("key of " + args[0])},
		}}})
	case "remove-join-key":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_RemoveJoinKey{RemoveJoinKey: &fsmpb.RemoveJoinKey{Id: args[0]}}})
	case "list-users", "list-api-keys", "list-join-keys", "check":
		return s.query(verb, a)
	case "refresh":
		f := s.families[s.index(args[0], "f", len(s.families))]
		return s.tokens(&fsmpb.Command{Op: &fsmpb.Command_RefreshToken{RefreshToken: &fsmpb.RefreshToken{
			User: f.User, Family: f.Id, Generation: s.number(a, "generation", 1),
		}}})
	}
	s.t.Fatalf("unknown command %q", verb)
	return ""
}

func (s *scenario) tokens(c *fsmpb.Command) string {
	r := s.apply(c)
	if r.Error != nil {
		return "error " + r.Error.Code + "\n"
	}
	f := r.GetFamily()
	for i, known := range s.families {
		if known.Id == f.Id {
			return fmt.Sprintf("f%d generation=%d issued=%s ago\n", i+1, f.Generation, time.Duration(s.now-f.RotatedMs)*time.Millisecond)
		}
	}
	s.families = append(s.families, f)
	return fmt.Sprintf("f%d generation=%d\n", len(s.families), f.Generation)
}

// repeat says a line several times, with the number in place of %, and returns the last answer.
func (s *scenario) repeat(times, line string) (answer string) {
	n, err := strconv.Atoi(times)
	if err != nil {
		s.t.Fatalf("repeat 0..%s: %v", times, err)
	}
	for i := range n {
		answer = s.command(strings.ReplaceAll(line, "%", strconv.Itoa(i)))
	}
	return answer
}

// index finds the number in a name like f1, counted from 0.
func (s *scenario) index(name, letter string, present int) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, letter))
	if err != nil || !strings.HasPrefix(name, letter) || n < 1 || n > present {
		s.t.Fatalf("there is no %q", name)
	}
	return n - 1
}

// principal is what the edge makes of a credential: f1 is the access token of the first log-in as it was given, k1 the
// first API key, and the name of a user a token of its present version.
func (s *scenario) principal(name string) *fsmpb.Principal {
	if _, err := strconv.Atoi(name[1:]); err != nil {
		return s.user(name)
	}
	if name[0] == 'k' {
		hash := s.hashOfKey(s.index(name, "k", len(s.keys)))
		return &fsmpb.Principal{ApiKey: hash}
	}
	f := s.families[s.index(name, "f", len(s.families))]
	return &fsmpb.Principal{Name: f.UserName, User: f.User, Version: f.UserVersion, Family: f.Id}
}

func (s *scenario) hashOfKey(i int) []byte {
	sum := sha256.Sum256([]byte(strconv.Itoa(i)))
	return sum[:]
}

func (s *scenario) createAPIKey(name string, a arguments) string {
	r := s.apply(&fsmpb.Command{Principal: s.caller, Op: &fsmpb.Command_CreateApiKey{CreateApiKey: &fsmpb.CreateAPIKey{
		Name: name, Hash: s.hashOfKey(len(s.keys)), Hint: "fqk_hint", ExpiresInDays: uint32(s.number(a, "days", 0)),
	}}})
	if r.Error != nil {
		return "error " + r.Error.Code + "\n"
	}
	s.keys = append(s.keys, r.GetApiKey())
	return s.describeKey(r.GetApiKey())
}

func (s *scenario) describeKey(k *fsmpb.APIKey) string {
	name := "a key of no create-api-key"
	for i, known := range s.keys {
		if known.Id == k.Id {
			name = fmt.Sprintf("k%d", i+1)
		}
	}
	if len(k.Hash) > 0 {
		name += " SHOWS ITS HASH"
	}
	return fmt.Sprintf("%s %s of %s, created=%s expires=%s used=%s\n", name, k.Name, k.UserName, s.ago(k.CreatedMs), s.ago(k.ExpiresMs), s.ago(k.LastUsedMs))
}

// ago shows a time as the scenario's reader counts: from now.
func (s *scenario) ago(ms int64) string {
	switch d := time.Duration(s.now-ms) * time.Millisecond; {
	case ms == 0:
		return "never"
	case d < 0:
		return "in " + (-d).String()
	default:
		return d.String() + " ago"
	}
}

func (s *scenario) query(verb string, a arguments) string {
	q := &fsmpb.Query{Principal: s.caller}
	limit := uint32(s.number(a, "limit", 1000))
	switch verb {
	case "list-users":
		q.Op = &fsmpb.Query_ListUsers{ListUsers: &fsmpb.ListUsers{After: a.options["after"], Limit: limit}}
	case "list-api-keys":
		l := &fsmpb.ListAPIKeys{UserName: a.options["user"], Limit: limit}
		if after, ok := a.options["after"]; ok {
			l.After = s.keys[s.index(after, "k", len(s.keys))].Id
		}
		q.Op = &fsmpb.Query_ListApiKeys{ListApiKeys: l}
	case "list-join-keys":
		q.Op = &fsmpb.Query_ListJoinKeys{ListJoinKeys: &fsmpb.ListJoinKeys{}}
	case "check":
		q.Op = &fsmpb.Query_CheckPrincipal{CheckPrincipal: &fsmpb.CheckPrincipal{Admin: a.options["admin"] == "true"}}
	}
	r := s.fsm.Query(q)
	idle := ""
	if r.KeyIdle {
		idle = "key idle\n"
	}
	if r.Error != nil {
		return "error " + r.Error.Code + "\n" + idle
	}
	return s.describe(r) + idle
}

func (s *scenario) describe(r *fsmpb.QueryResult) string {
	var out strings.Builder
	more := r.GetUsers().GetMore() || r.GetApiKeys().GetMore()
	users := r.GetUsers().GetUsers()
	if u := r.GetUser(); u != nil {
		users = append(users, u)
	}
	for _, u := range users {
		fmt.Fprintf(&out, "%s role=%s keys=%d created=%s%s\n", u.Name, u.Role, u.ApiKeys, s.ago(u.CreatedMs), u.PasswordHash)
	}
	for _, k := range r.GetApiKeys().GetApiKeys() {
		out.WriteString(s.describeKey(k))
	}
	for _, k := range r.GetJoinKeys().GetJoinKeys() {
		fmt.Fprintf(&out, "%s created=%s%s\n", k.Id, s.ago(k.CreatedMs), k.Key)
	}
	if out.Len() == 0 {
		return "nothing\n"
	}
	if more {
		out.WriteString("and more\n")
	}
	return out.String()
}

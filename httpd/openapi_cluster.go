package httpd

import (
	"fmt"
	"reflect"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
)

func docViewCluster() documentation {
	return documentation{
		id: "viewCluster", tag: clusterTag, summary: "Show the cluster", about: "What the answering node knows of it, also without a leader.",
		answer: cluster.View{}, local: true,
		shows: `{"cluster_id":"5a0c...","node":"node-1","leader":"node-1","term":2,"age_ms":0,` +
			`"summary":"Healthy. 1 of 1 voter up. You can lose 0 nodes. Two more nodes would keep it going when one is lost.",` +
			`"members":[{"name":"node-1","id":"node-1-5f3a...","voter":true,"leader":true,"http":"127.0.0.1:9080","cluster":"127.0.0.1:9081",` +
			`"lag":0,"version":"1.0.0","last_contact_ms":0,` +
			`"up":true,"lag_seconds":0,"applied_index":117,"disk_free":52000000000,"disk_low":false,` +
			`"clock_difference_ms":0,"certificate_expires":"2027-11-22T22:10:17Z","draining":false}],` +
			`"state_hashes":[{"index":118,"hash":"3fa1c0de5b7702e9"}]}`,
	}
}

func docRemoveMember() documentation {
	return documentation{
		id: "removeMember", tag: clusterTag, summary: "Remove a member",
		about: "For admins. Refused when the cluster could lose its majority by it; detail says why. A removed node stops answering; " +
			"it can join again with an empty data directory.",
		parameters: []parameter{pathParameter("name", "The node.", "node-3", &schema{Type: "string"})},
		codes:      []string{cluster.CodeMemberNotFound, cluster.CodeMajorityAtRisk},
	}
}

func docTransferLeadership() documentation {
	return documentation{
		id: "transferLeadership", tag: clusterTag, summary: "Hand over the leadership", about: "For admins. The body may be left out.",
		request: newLeader{}, optional: true, strict: true, example: `{"name": "node-2"}`, answer: leaderNow{}, shows: `{"leader":"node-2"}`,
		codes: []string{cluster.CodeMemberNotFound, cluster.CodeMajorityAtRisk},
	}
}

func docCreateJoinToken() documentation {
	return documentation{
		id: "createJoinToken", tag: clusterTag, summary: "Create a join token",
		about: fmt.Sprintf("For admins who have logged in; an API key is not enough. It proves to the cluster that a new node may join. Only this answer has the token itself. There "+
			"may be %d. The body may be left out.", fsm.MaxJoinKeys),
		request: noFields{}, optional: true, strict: true, example: `{}`, answer: createdJoinToken{},
		shows: `{"id":"7c1e4f0a","token":"...","created":"2026-11-22T22:10:17Z"}`,
		codes: []string{fsm.CodeLimitReached},
	}
}

func docListJoinTokens() documentation {
	return documentation{
		id: "listJoinTokens", tag: clusterTag, summary: "List the join tokens", about: "For admins. Sorted by id, without the tokens " +
			"themselves.",
		parameters: listParameters("id", "7c1e4f0a"), answer: joinTokenList{},
		shows: `{"join_tokens":[{"id":"7c1e4f0a","created":"2026-11-22T22:10:17Z"}]}`,
	}
}

func docRevokeJoinToken() documentation {
	return documentation{
		id: "revokeJoinToken", tag: clusterTag, summary: "Revoke a join token", about: "For admins. Nodes that joined with it stay.",
		parameters: []parameter{pathParameter("id", "The id of the token, as the list shows it.", "7c1e4f0a", &schema{Type: "string"})},
		codes:      []string{fsm.CodeJoinTokenNotFound},
	}
}

func clusterTypes() map[reflect.Type]described {
	id := field{about: "Names the token in requests."}
	return map[reflect.Type]described{
		reflect.TypeFor[noFields]():  {"NoFields", "A request that has nothing to say.", nil},
		reflect.TypeFor[newLeader](): {"NewLeader", "Who shall lead.", fields{"name": {about: "The node; without it the fittest one."}}},
		reflect.TypeFor[leaderNow](): {"Leader", "Who leads now.", fields{"leader": {about: "The node."}}},
		reflect.TypeFor[createdJoinToken](): {"CreatedJoinToken", "A new join token, the only time with the " +
			"token itself.", fields{"id": id, "token": {about: "The token."}, "created": {about: "When it was made."}}},
		reflect.TypeFor[joinTokenList](): {"JoinTokens", "A page of join tokens.", fields{"join_tokens": {about: "Sorted by id."}}},
		reflect.TypeFor[joinTokenView](): {"JoinToken", "A join token.", fields{"id": id, "created": {about: "When it was made; null " +
			"for the one with which the cluster began."}}},
		reflect.TypeFor[cluster.View](): {"Cluster", "What a node knows of its cluster.", fields{
			"cluster_id": {about: "The cluster."},
			"node":       {about: "Who answers."},
			"leader":     {about: "The node that leads; empty when none is known."},
			"term":       {about: "Counts the elections."},
			"age_ms":     {about: "Milliseconds since the answering node last heard of its leader; 0 on the leader."},
			"summary":    {about: "How the cluster is, in a sentence or two for people."},
			"members":    {about: "All members, sorted by id."},
			"state_hashes": {about: "Running hashes of the answering node's state, at the last multiples of 1,000 that it passed since it " +
				"started and where it stands, by index. Nodes that name the same index must name the same hash."},
		}},
		reflect.TypeFor[cluster.StateHash](): {"StateHash", "The running hash of what a beginning of the log made.", fields{
			"index": {about: "The log entries before this one count."},
			"hash":  {about: "16 hexadecimal digits."},
		}},
		reflect.TypeFor[cluster.MemberView](): {"Member", "A member as the answering node knows it.", fields{
			"name":            {about: "The node."},
			"id":              {about: "The name, and the incarnation of its data directory."},
			"voter":           {about: "Whether it counts towards the majority."},
			"leader":          {about: "Whether it leads."},
			"http":            {about: "Its address for clients."},
			"cluster":         {about: "Its address for other members."},
			"lag":             {about: "Log entries that it had not applied when it was last heard of."},
			"version":         {about: "Of the program."},
			"last_contact_ms": {about: "Milliseconds since the answering node last heard of it; -1: never."},
			"up":              {about: "Whether it was heard of within the last three seconds."},
			"lag_seconds": {about: "How old the newest entry is that it had applied when it was last heard of; of one that is " +
				"down, now."},
			"applied_index":       {about: "The last log entry that it had applied."},
			"disk_free":           {about: "Bytes; 0 when not known."},
			"disk_low":            {about: "Whether fewer bytes are free than its reserve."},
			"clock_difference_ms": {about: "Milliseconds by which its clock is ahead of the answering node's."},
			"certificate_expires": {about: "When its certificate ends; absent when not known."},
			"draining":            {about: "Whether it is about to stop."},
		}},
	}
}

package httpd

import (
	"fmt"
	"reflect"

	"github.com/fastqueue/fastqueue/fsm"
)

func docCreateAPIKey() documentation {
	return documentation{
		id: "createAPIKey", tag: keysTag, summary: "Create an API key",
		about: fmt.Sprintf("Only this answer has the key itself: the cluster keeps its SHA-256. A user may have %d keys. Needs the access "+
			"token of a log-in: "+
			"an API key creates no other keys.", fsm.MaxAPIKeysPerUser),
		request: newAPIKey{}, strict: true, example: `{"name": "worker 1", "expires_in_days": 90}`,
		answer: createdAPIKey{},
		shows: `{"id":"12","name":"worker 1","key":"fqk_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE","hint":"fqk_Zm9v",` +
			`"created":"2026-11-22T22:10:17Z","expires":"2027-02-20T22:10:17Z","last_used":null}`,
		codes: []string{fsm.CodeForbidden, fsm.CodeLimitReached}, security: []string{bearerScheme},
	}
}

func docListAPIKeys() documentation {
	return documentation{
		id: "listAPIKeys", tag: keysTag, summary: "List API keys", about: "The caller's own, sorted by id, without the keys themselves.",
		parameters: append(listParameters("id", "12"), ownerParameter()),
		answer:     apiKeyList{},
		shows: `{"api_keys":[{"id":"12","name":"worker 1","hint":"fqk_Zm9v","created":"2026-11-22T22:10:17Z","expires":"2027-02-20T22:10:17Z",` +
			`"last_used":"2026-11-23T08:00:00Z","expired":false}]}`,
		codes: []string{fsm.CodeForbidden, fsm.CodeUserNotFound},
	}
}

func docDeleteAPIKey() documentation {
	return documentation{
		id: "deleteAPIKey", tag: keysTag, summary: "Delete an API key", about: "It ends at once, on every node.",
		parameters: []parameter{
			pathParameter("id", "The id of the key, as the list shows it.", "12", &schema{Type: "string", Pattern: "^[0-9]+$"}),
			ownerParameter(),
		},
		codes: []string{fsm.CodeForbidden, fsm.CodeUserNotFound, fsm.CodeAPIKeyNotFound},
	}
}

// ownerParameter names another user.
func ownerParameter() parameter {
	return queryParameter("username", "Whose keys, for admins; without it the "+
		"caller's own.", &schema{Type: "string", MaxLength: new(int64(fsm.MaxUserNameBytes))})
}

func keyTypes() map[reflect.Type]described {
	id, hint := field{about: "Names the key in requests."}, field{about: "How the key begins, to tell keys apart."}
	label, created := field{about: "What the owner calls it."}, field{about: "When it was made."}
	expires, used := field{about: "When it expires; null: never."}, field{about: "The hour in which it was last used; null: never."}
	return map[reflect.Type]described{
		reflect.TypeFor[newAPIKey](): {"NewAPIKey", "An API key to create.", fields{
			"name": {about: fmt.Sprintf("What the owner calls it: 1 to %d bytes without control or format characters and without spaces "+
				"at its ends.", fsm.MaxAPIKeyNameBytes),
				need: true, within: within(1, fsm.MaxAPIKeyNameBytes)},
			"expires_in_days": {about: "After how many days the key expires; without it never.", within: within(1, fsm.MaxAPIKeyDays)},
		}},
		reflect.TypeFor[createdAPIKey](): {"CreatedAPIKey", "A new API key, the only time with the key itself.", fields{
			"id": id, "name": label, "key": {about: "The key: keep it, nobody can show it again.", pattern: "^fqk_[A-Za-z0-9_-]{43}$"},
			"hint": hint, "created": created, "expires": expires, "last_used": used,
		}},
		reflect.TypeFor[apiKeyList](): {"APIKeys", "A page of API keys.", fields{"api_keys": {about: "Sorted by id."}}},
		reflect.TypeFor[apiKeyView](): {"APIKey", "An API key.", fields{
			"id": id, "name": label, "hint": hint, "created": created, "expires": expires, "last_used": used,
			"expired": {about: "Whether it has expired by the clock of the answering node. It counts towards the limit until it is deleted."},
		}},
	}
}

package httpd

import (
	"strconv"
	"time"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// apiKeyView is the JSON of an API key, of which nobody but its owner has the text.
type apiKeyView struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Hint     string     `json:"hint"` // how the key begins
	Created  timestamp  `json:"created"`
	Expires  *timestamp `json:"expires"`   // null: never
	LastUsed *timestamp `json:"last_used"` // to the hour; null: never
	Expired  bool       `json:"expired"`
}

func viewOfAPIKey(k *fsmpb.APIKey, now time.Time) apiKeyView {
	return apiKeyView{
		ID: idOf(k.GetId()), Name: k.GetName(), Hint: k.GetHint(), Created: timestampOf(k.GetCreatedMs()),
		Expires: timestampOrNull(k.GetExpiresMs()), LastUsed: timestampOrNull(k.GetLastUsedMs()),
		Expired: k.GetExpiresMs() != 0 && k.GetExpiresMs() <= now.UnixMilli(),
	}
}

// idOf writes an id as the API shows it: in decimals, but as a string, because not every client has 64 bits for a number.
func idOf(id uint64) string { return strconv.FormatUint(id, 10) }

// parseID reads what idOf wrote, and nothing else.
func parseID(text string) (uint64, bool) {
	id, err := strconv.ParseUint(text, 10, 64)
	return id, err == nil && idOf(id) == text
}

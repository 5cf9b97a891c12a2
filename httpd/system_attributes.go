package httpd

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// The names of what a receive can tell of a message beside its content; they are those of Amazon SQS.
const (
	attributeReceiveCount = "ApproximateReceiveCount"
	attributeFirstReceive = "ApproximateFirstReceiveTimestamp" // milliseconds since 1970
	attributeSent         = "SentTimestamp"                    // milliseconds since 1970
	attributeAll          = "All"
)

// checkSystemAttributes refuses names that do not exist.
func checkSystemAttributes(names []string) error {
	known := []string{attributeAll, attributeFirstReceive, attributeReceiveCount, attributeSent}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return invalid("SystemAttributeNames", "be an array of %s; the nearest to the given one is %s", strings.Join(known, ", "), nearest(name, known))
		}
	}
	return nil
}

// systemAttributes are the ones that were asked for; nil when none were.
func systemAttributes(names []string, d *fsmpb.Delivery) map[string]string {
	if len(names) == 0 {
		return nil
	}
	all := map[string]string{
		attributeReceiveCount: strconv.FormatUint(uint64(d.GetCount()), 10),
		attributeFirstReceive: strconv.FormatInt(d.GetFirstReceiveMs(), 10),
		attributeSent:         strconv.FormatInt(d.GetMessage().GetSentMs(), 10),
	}
	if slices.Contains(names, attributeAll) {
		return all
	}
	asked := make(map[string]string, len(names))
	for _, name := range names {
		asked[name] = all[name]
	}
	return asked
}

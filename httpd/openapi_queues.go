package httpd

import (
	"fmt"
	"reflect"

	"github.com/fastqueue/fastqueue/fsm"
)

const (
	queueNamePattern = "^[A-Za-z0-9_-]{1,80}$" // fsm.MaxQueueNameBytes
	exampleQueue     = `{"name":"orders","message_count":0,"max_length":1000,"visibility_timeout":30}`
)

func queueParameter() parameter {
	return pathParameter("name", "The queue.", "orders", &schema{Type: "string"})
}

func docCreateQueue() documentation {
	return documentation{
		id: "createQueue", tag: queuesTag, summary: "Create a queue", about: fmt.Sprintf("A cluster may have %d queues.", fsm.MaxQueues),
		request: newQueue{}, example: `{"name": "orders", "max_length": 1000, "visibility_timeout": 30}`, answer: queueView{}, shows: exampleQueue,
		codes: []string{fsm.CodeQueueExists, fsm.CodeLimitReached},
	}
}

func docListQueues() documentation {
	return documentation{
		id: "listQueues", tag: queuesTag, summary: "List the queues", about: "Sorted by name.",
		parameters: listParameters("name of the queue", "orders"),
		answer:     queueList{}, shows: `{"queues":[` + exampleQueue + `]}`,
	}
}

func docGetQueue() documentation {
	return documentation{
		id: "getQueue", tag: queuesTag, summary: "Show a queue",
		parameters: []parameter{queueParameter(), consistencyParameter()},
		answer:     queueDetails{},
		shows: `{"name":"orders","message_count":3,"max_length":1000,"visibility_timeout":30,"ready":1,"leased":1,"delayed":1,` +
			`"oldest_message_age":7,"created":"2026-11-22T22:10:17Z"}`,
		codes: []string{fsm.CodeQueueNotFound},
	}
}

func docUpdateQueue() documentation {
	return documentation{
		id: "updateQueue", tag: queuesTag, summary: "Change the settings of a queue",
		about: "Changes what the request names and nothing else. A new visibility_timeout holds for later receives. A max_length below " +
			"the present count is accepted: " +
			"sends are refused until the queue has become shorter.",
		parameters: []parameter{queueParameter()},
		request:    queueSettings{}, example: `{"visibility_timeout": 60}`,
		answer: queueView{}, shows: `{"name":"orders","message_count":0,"max_length":1000,"visibility_timeout":60}`,
		codes: []string{fsm.CodeQueueNotFound},
	}
}

func docDeleteQueue() documentation {
	return documentation{
		id: "deleteQueue", tag: queuesTag, summary: "Delete a queue", about: "With all its messages.",
		parameters: []parameter{queueParameter()}, codes: []string{fsm.CodeQueueNotFound},
	}
}

func docPurgeQueue() documentation {
	return documentation{
		id: "purgeQueue", tag: queuesTag, summary: "Delete all messages of a queue",
		about:      "All that were sent before: ready, leased and delayed ones, whatever their number.",
		parameters: []parameter{queueParameter()}, answer: queueView{}, shows: exampleQueue, codes: []string{fsm.CodeQueueNotFound},
	}
}

func queueTypes() map[reflect.Type]described {
	return map[reflect.Type]described{
		reflect.TypeFor[newQueue](): {"NewQueue", "A queue to create.", fields{
			"name": {about: fmt.Sprintf("1 to %d of A-Z, a-z, 0-9, _ and -.", fsm.MaxQueueNameBytes), need: true, pattern: queueNamePattern},
		}},
		reflect.TypeFor[queueSettings](): {"QueueSettings", "What to change of a queue.", fields{
			"max_length": {about: fmt.Sprintf("How many messages the queue may hold, leased and delayed ones included. A new queue "+
				"without it has %d.", fsm.DefaultMaxLength),
				within: within(fsm.MinQueueLength, fsm.MaxQueueLength)},
			"visibility_timeout": {about: fmt.Sprintf("Seconds for which a received message is hidden from other receivers. A new queue "+
				"without it has %d.",
				int(fsm.DefaultVisibilityTimeout.Seconds())), within: within(0, int64(fsm.MaxVisibilityTimeout.Seconds()))},
		}},
		reflect.TypeFor[queueView](): {"Queue", "A queue.", fields{
			"name": {about: "The name."}, "message_count": {about: "Messages that are not deleted: ready, leased and delayed ones."},
			"max_length": {about: "How many it may hold."}, "visibility_timeout": {about: "Seconds."},
		}},
		reflect.TypeFor[queueList](): {"Queues", "A page of queues.", fields{"queues": {about: "Sorted by name."}}},
		reflect.TypeFor[queueDetails](): {"QueueDetails", "A queue and its state.", fields{
			"ready":              {about: "Messages that can be received now."},
			"leased":             {about: "Messages that were received and not deleted, and whose visibility timeout has not ended."},
			"delayed":            {about: "Messages whose delay has not ended."},
			"oldest_message_age": {about: "Seconds since the oldest message that is not deleted was sent; 0 without messages."},
			"created":            {about: "When the queue was made.", format: "date-time"},
		}},
	}
}
